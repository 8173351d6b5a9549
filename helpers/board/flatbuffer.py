"""What is inside a `.tflite` file: operators, tensors, scales and zero points.

Reading it needs neither TensorFlow nor a runtime, and a damaged or hostile file gives
an error or a correct answer: each offset is checked before it is followed.
"""

import numpy as np

from helpers.board.flatbuffer_tables import DamagedFlatbuffer, Table
from helpers.board.model import Model, Operator, Tensor
from helpers.board.operators import ACTIVATIONS, OPTIONS, PADDINGS, operator_name
from helpers.errors import TutorialError

SIZE_LIMIT = 64 * 2**20  # bytes; a model for a microcontroller has some thousands
_COUNT_LIMIT = 10_000  # operators or tensors
_EDGE_LIMIT = 64  # inputs or outputs of one operator
_RANK_LIMIT = 8

# schema.fbs, enum TensorType
_DTYPE_NAMES = """
    float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64
    complex128 uint64 resource variant uint32 uint16 int4 bfloat16 int2 uint4
    float8_e4m3fn float8_e5m2
"""
DTYPES = tuple(_DTYPE_NAMES.split())
_WITHOUT_NUMPY = {"string", "resource", "variant", *DTYPES[DTYPES.index("int4") :]}


class _Unsupported(ValueError):
    """The file may be whole, but holds what this program does not read."""


def read_model(
    model_bytes,
    name="The model",
    remedy="run notebook 05_quantize_model to make it again",
):
    """Read the structure of a `.tflite` file.

    Parameters
    ----------
    model_bytes : bytes
        The whole file, 64 MiB at most.
    name : str
        What to call it in an error.
    remedy : str
        What to do about a damaged one.

    Returns
    -------
    Model
        Its arrays are read-only views of `model_bytes`.

    Raises
    ------
    TutorialError
        If it is not a TensorFlow Lite model with one graph, is damaged or truncated.

    Notes
    -----
    Tables and slots are those of TensorFlow's `schema.fbs`.
    """
    if len(model_bytes) > SIZE_LIMIT:
        raise TutorialError(
            f"{name} has {len(model_bytes):,} bytes, over the limit of {SIZE_LIMIT:,}; "
            "that is not a model for a microcontroller."
        )
    try:
        return _read(bytes(model_bytes))
    except DamagedFlatbuffer as error:
        raise TutorialError(
            f"{name} ({len(model_bytes):,} bytes) is not a whole TensorFlow Lite "
            f"model: {error}; {remedy}."
        ) from error
    except _Unsupported as error:
        raise TutorialError(f"{name} is not supported: {error}.") from error


def _read(data):
    if len(data) < 8:
        raise DamagedFlatbuffer("it is shorter than a file's header")
    root = Table.root(data, b"TFL3")
    graphs = root.tables(2, _COUNT_LIMIT)
    if not graphs:
        raise DamagedFlatbuffer("it has 0 graphs where one is expected")
    if len(graphs) > 1:
        raise _Unsupported(f"it has {len(graphs)} graphs where one is expected")
    [graph] = graphs
    buffers = root.tables(4, _COUNT_LIMIT)
    tensors = tuple(
        _tensor(index, table, buffers)
        for index, table in enumerate(graph.tables(0, _COUNT_LIMIT))
    )
    codes = [_operator_code(table) for table in root.tables(1, _COUNT_LIMIT)]
    operators = tuple(
        _operator(table, codes, len(tensors)) for table in graph.tables(3, _COUNT_LIMIT)
    )
    return Model(
        schema_version=root.number(0, "I"),
        description=root.text(3),
        operators=operators,
        tensors=tensors,
        inputs=_indices(graph, 1, len(tensors), lowest=0, what="inputs"),
        outputs=_indices(graph, 2, len(tensors), lowest=0, what="outputs"),
        byte_count=len(data),
    )


def _tensor(index, table, buffers):
    shape = _shape(table, 0)
    dtype = _dtype(index, table.number(1, "b"))
    quantization = table.table(4)
    scales = zero_points = np.zeros(0)
    quantized_dimension = 0
    if quantization is not None:
        scales = quantization.numbers(2, "<f4")
        zero_points = quantization.numbers(3, "<i8")
        quantized_dimension = quantization.number(6, "i")
        if not np.all(np.isfinite(scales)):
            raise DamagedFlatbuffer(f"a scale of tensor {index} is not a finite number")
        if len(scales) > 1 and not 0 <= quantized_dimension < len(shape):
            raise DamagedFlatbuffer(
                f"tensor {index} is quantised along dimension {quantized_dimension} "
                f"of {len(shape)}"
            )
    return Tensor(
        index=index,
        name=table.text(3),
        dtype=dtype,
        shape=shape,
        shape_signature=_shape(table, 7),
        scales=scales,
        zero_points=zero_points,
        quantized_dimension=quantized_dimension,
        data=_data(index, table.number(2, "I"), buffers, dtype, shape),
    )


def _dtype(index, number):
    if number >= len(DTYPES):
        raise _Unsupported(
            f"tensor {index} is of type {number}, which is newer than this program "
            "knows, unless the file is damaged"
        )
    return _choice(DTYPES, number, f"type of tensor {index}")


def _shape(table, slot):
    shape = table.numbers(slot, "<i4")
    if len(shape) > _RANK_LIMIT:
        raise DamagedFlatbuffer(f"a tensor has {len(shape):,} dimensions")
    return tuple(shape.tolist())


def _data(index, buffer, buffers, dtype, shape):
    if buffer >= len(buffers):
        raise DamagedFlatbuffer(
            f"tensor {index} lies in buffer {buffer}, which is absent"
        )
    if buffers[buffer].number(1, "Q") > 1:
        raise DamagedFlatbuffer(f"the values of tensor {index} lie outside the graph")
    raw = buffers[buffer].numbers(0, "u1")
    if not len(raw):
        return None
    if dtype in _WITHOUT_NUMPY:
        return raw
    little_endian = np.dtype(dtype).newbyteorder("<")
    count = 1
    for size in shape:  # Python's integers do not overflow
        count *= size
    if min(shape, default=1) < 0 or count * little_endian.itemsize != len(raw):
        raise DamagedFlatbuffer(
            f"tensor {index} has {len(raw):,} bytes for shape {list(shape)} of {dtype}"
        )
    return raw.view(little_endian).reshape(shape)


def _operator_code(table):
    # Numbers above 127 did not fit the first, one-byte field: the larger one counts.
    code = max(table.number(0, "b"), table.number(3, "i"))
    return operator_name(code, table.text(1)), table.number(2, "i", 1)


def _operator(table, codes, tensor_count):
    code = table.number(0, "I")
    if code >= len(codes):
        raise DamagedFlatbuffer(f"an operator has code {code} of {len(codes)}")
    name, version = codes[code]
    return Operator(
        name=name,
        version=version,
        inputs=_indices(table, 1, tensor_count, lowest=-1, what=f"inputs of {name}"),
        outputs=_indices(table, 2, tensor_count, lowest=0, what=f"outputs of {name}"),
        options=_options(name, table),
    )


def _options(name, operator):
    union_number, slots = OPTIONS.get(name, (None, {}))
    if not slots:
        return {}
    table = operator.table(4)
    if table is None or operator.number(3, "B") != union_number:
        raise DamagedFlatbuffer(f"the options of a {name} are missing")
    options = {key: table.number(*slot) for key, slot in slots.items()}
    for key, names in (("padding", PADDINGS), ("activation", ACTIVATIONS)):
        if key in options:
            options[key] = _choice(names, options[key], f"{key} of {name}")
    return options


def _indices(table, slot, tensor_count, lowest, what):
    indices = table.numbers(slot, "<i4")
    if len(indices) > _EDGE_LIMIT:
        raise DamagedFlatbuffer(f"{what}: {len(indices):,} of them")
    for index in indices:
        if not lowest <= index < tensor_count:
            raise DamagedFlatbuffer(f"{what}: tensor {index} of {tensor_count}")
    return tuple(indices.tolist())


def _choice(names, number, what):
    if not 0 <= number < len(names):
        raise DamagedFlatbuffer(f"{what} has the unknown number {number}")
    return names[number]
