"""Look into a ``.tflite`` file, and run it on LiteRT and on TensorFlow Lite Micro.

LiteRT is the runtime of phones and computers, TensorFlow Lite Micro (TFLM) that of
microcontrollers. The package ``tflite-micro`` runs TFLM's *reference kernels* on this
computer; a chip's maker may replace them by kernels that round differently.
"""

import math
import re
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from helpers.files import TutorialError, quiet

KIB = 1024  # bytes
_ARENA = 1024 * KIB  # more than any model of this series needs
_HEADROOM = 0.2  # of what TFLM's reference kernels use: other kernels may use more
_BOOKKEEPING = 4 * KIB  # at least what TFLM keeps of tensors and operators


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of a model."""

    index: int
    name: str
    dtype: str
    shape: tuple  # -1 for a size that is left open
    scales: np.ndarray  # one, or one for each output channel
    zero_points: np.ndarray  # likewise
    data: np.ndarray | None  # the stored values; None if computed at run time

    @property
    def scale(self):
        """The scale of a tensor that has one for all."""
        return float(self.scales[0])

    @property
    def zero_point(self):
        """The zero point of a tensor that has one for all."""
        return int(self.zero_points[0])


@dataclass(frozen=True)
class Operator:
    """One step of the network, with the indices of the tensors that it needs."""

    name: str  # such as CONV_2D
    inputs: tuple  # -1 where one is left out
    outputs: tuple
    options: dict  # those of TensorFlow's schema.fbs, such as strideH


@dataclass(frozen=True, eq=False)
class Model:
    """What a ``.tflite`` file holds: one graph, which reads and writes one tensor."""

    operators: tuple
    tensors: tuple
    input: Tensor
    output: Tensor

    @property
    def operator_names(self):
        """Each kind of operator once, in the order of first use."""
        return list(dict.fromkeys(operator.name for operator in self.operators))


def read(model_bytes):
    """Return the `Model` that the bytes of a ``.tflite`` file describe.

    TutorialError if they are not a whole model with one input and one output.
    """
    try:
        return _read(model_bytes)
    except Exception as error:  # whatever comes of following wrong offsets
        raise TutorialError(
            f"The {len(model_bytes):,} bytes are not a whole TensorFlow Lite model; "
            "run notebook 05_quantize_model to make it again."
        ) from error


def _read(model_bytes):
    from ai_edge_litert import schema_py_generated as schema

    file = schema.ModelT.InitFromPackedBuf(bytearray(model_bytes), 0)
    if model_bytes[4:8] != b"TFL3" or file.version != 3:
        raise ValueError("TFLM reads version 3 of the schema")
    kinds = _names(schema.BuiltinOperator)
    dtypes = _names(schema.TensorType)
    [graph] = file.subgraphs
    operators = []
    for operator in graph.operators:
        options = operator.builtinOptions
        operators.append(
            Operator(
                name=kinds[file.operatorCodes[operator.opcodeIndex].builtinCode],
                inputs=_numbers(operator.inputs),
                outputs=_numbers(operator.outputs),
                options=dict(vars(options)) if options else {},
            )
        )
    tensors = []
    for index, tensor in enumerate(graph.tensors):
        dtype = dtypes[tensor.type].lower()
        tensors.append(_tensor(index, tensor, dtype, file.buffers))
    [source] = graph.inputs
    [sink] = graph.outputs
    return Model(tuple(operators), tuple(tensors), tensors[source], tensors[sink])


def _names(enumeration):
    """Return the names of an enumeration of the schema by their numbers."""
    items = vars(enumeration).items()
    return {number: name for name, number in items if name.isupper()}


def _tensor(index, tensor, dtype, buffers):
    has_open_size = tensor.shapeSignature is not None
    shape = _numbers(tensor.shapeSignature if has_open_size else tensor.shape)
    data = buffers[tensor.buffer].data
    if data is not None:
        data = np.frombuffer(data.tobytes(), dtype).reshape(shape)
    scales = getattr(tensor.quantization, "scale", None)
    zero_points = getattr(tensor.quantization, "zeroPoint", None)
    return Tensor(
        index=index,
        name=tensor.name.decode(),
        dtype=dtype,
        shape=shape,
        scales=np.array(_numbers(scales, float)),
        zero_points=np.array(_numbers(zero_points)),
        data=data,
    )


def _numbers(vector, kind=int):
    return () if vector is None else tuple(map(kind, vector))


class _Runtime:
    """What both runtimes have in common.

    A class of this kind has `model` and `name`, runs an image with `_invoke`, and gives
    with `_value` the tensor of an index that it then holds.
    """

    is_tflm = False
    notice = ""  # what is to be said if it stands in for another

    def run(self, images_i8):
        """Return the scores, int8 (images, 10), of int8 images (images, 28, 28, 1)."""
        scores, _ = self.run_with_logits(images_i8, self.model.output.index)
        return scores

    def run_with_logits(self, images_i8, tensor):
        """Return scores and logits, int8 (images, 10) each, of one pass of the images.

        `tensor` is the index of the tensor that holds the logits, such as the
        ``tensor`` of the last of `helpers.integer_arithmetic.layers`.
        """
        output = self.model.output
        shape = (len(images_i8), math.prod(output.shape))
        scores = np.empty(shape, np.int8)
        logits = np.empty(shape, np.int8)
        for number in range(len(images_i8)):
            self._invoke(images_i8[number : number + 1])
            scores[number] = self._value(output.index).reshape(-1)
            logits[number] = self._value(tensor).reshape(-1)
        return scores, logits

    def tensors(self, images_i8):
        """Return by index each tensor that is computed; its first axis: the images."""
        found = {operator.outputs[0]: [] for operator in self.model.operators}
        for number in range(len(images_i8)):
            self._invoke(images_i8[number : number + 1])
            for index, values in found.items():
                values.append(np.array(self._value(index))[0])
        return {index: np.stack(values) for index, values in found.items()}


class LiteRT(_Runtime):
    """LiteRT, with its fast kernels or with its plain `reference` ones.

    With its fast kernels it keeps no tensor but the scores.
    """

    def __init__(self, model_bytes, reference=False):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self.model = read(model_bytes)
        self.name = f"LiteRT {version('ai-edge-litert')}"
        kernels = OpResolverType.AUTO
        if reference:
            self.name += ", reference kernels"
            kernels = OpResolverType.BUILTIN_REF
        with quiet():
            self._interpreter = Interpreter(
                model_content=model_bytes,
                experimental_op_resolver_type=kernels,
                experimental_preserve_all_tensors=reference,
            )
            self._interpreter.allocate_tensors()

    def _invoke(self, image):
        self._interpreter.set_tensor(self.model.input.index, image)
        self._interpreter.invoke()

    def _value(self, index):
        return self._interpreter.get_tensor(index)


class TFLM(_Runtime):
    """TensorFlow Lite Micro with its reference kernels."""

    is_tflm = True

    def __init__(self, model_bytes):
        from tflite_micro import runtime

        self.model = read(model_bytes)
        self.name = (
            f"TensorFlow Lite Micro {version('tflite-micro')}, reference kernels"
        )
        self._bytes = model_bytes
        self._interpreter = runtime.Interpreter.from_bytes(
            model_bytes,
            arena_size=_ARENA,
            # Only then can a tensor be read by its index.
            intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
        )

    def _invoke(self, image):
        self._interpreter.set_input(image, 0)
        self._interpreter.invoke()

    def _value(self, index):
        return self._interpreter.GetTensor(index, 0)["tensor_data"]

    def arena_used(self):
        """Return how many bytes of its arena TFLM uses for the model."""
        from tflite_micro import runtime

        interpreter = runtime.Interpreter.from_bytes(self._bytes, arena_size=_ARENA)
        with quiet() as held:  # C++ prints it
            interpreter.print_allocations()
            held.seek(0)
            printed = held.read()
        return int(re.search(r"allocation total (\d+) bytes", printed)[1])


def tflm_problem():
    """Return why TFLM cannot be used here, as half a sentence, or '' if it can."""
    try:
        from tflite_micro import runtime  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name == "tflite_micro":
            return "its package exists for Linux on x86-64 only"
        return f"the import of its package fails: {error}"
    except Exception as error:  # some of its nightly builds miss symbols
        first_line = str(error).split("\n")[0]
        return f"the import of its package fails: {first_line[:150]}"
    return ""


def tflm_or_stand_in(model_bytes):
    """Return TFLM, or LiteRT's reference kernels with a notice where it is missing."""
    problem = tflm_problem()
    if not problem:
        return TFLM(model_bytes)
    runtime = LiteRT(model_bytes, reference=True)
    runtime.notice = (
        f"TensorFlow Lite Micro is not available here ({problem}), so LiteRT's "
        "reference kernels stand in for it; their outputs differ by about one step in "
        "256 at most. On Linux on x86-64, pip install -r requirements.txt brings a "
        "build of it that was tried."
    )
    return runtime


@dataclass(frozen=True)
class Arena:
    """The memory that an interpreter on a board needs for a model's tensors."""

    used: int  # bytes, without headroom
    recommended: int  # bytes
    rule: str  # a sentence: how these two were found


def arena(runtime):
    """Return the `Arena` of the model that `runtime` has read."""
    if runtime.is_tflm:
        used = runtime.arena_used()
        rule = f"{used:,} bytes in use with TensorFlow Lite Micro on a 64-bit computer"
    else:
        used = _BOOKKEEPING + _largest_tensors(runtime.model)
        rule = f"{used:,} bytes, estimated from the sizes of the tensors"
    return Arena(
        used=used,
        recommended=math.ceil((1 + _HEADROOM) * used / KIB) * KIB,
        rule=f"{rule}, plus {100 * _HEADROOM:.0f} % for other kernels, in whole KiB.",
    )


def _largest_tensors(model):
    """Return the bytes of the int8 tensors that one operator reads and writes, at most.

    Tensors share memory: at any time only those of one operator are needed. Weights and
    biases do not count: they stay in flash.
    """
    largest = 0
    for operator in model.operators:
        tensors = [model.tensors[i] for i in operator.inputs + operator.outputs]
        sizes = [math.prod(tensor.shape) for tensor in tensors if tensor.data is None]
        largest = max(largest, sum(sizes))
    return largest
