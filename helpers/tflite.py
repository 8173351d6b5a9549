"""Look into a ``.tflite`` file, and run it on LiteRT and on TensorFlow Lite Micro.

LiteRT is the runtime of phones and computers, TensorFlow Lite Micro (TFLM) that of
microcontrollers. The package ``tflite-micro`` runs TFLM's *reference kernels* on this
computer; a chip's maker may replace them by kernels that round differently.
"""

import importlib.util
import math
import re
from importlib.metadata import version
from typing import NamedTuple

import numpy as np

from helpers.files import TutorialError, quiet

_ARENA = 2**20  # bytes, more than any model of this series needs
_STAND_IN = (
    "TensorFlow Lite Micro is not available here (its package exists for Linux on "
    "x86-64 only), so LiteRT's reference kernels stand in for it; their outputs differ "
    "by about one step in 256 at most."
)


class Tensor(NamedTuple):
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


class Operator(NamedTuple):
    """One step of the network, with the indices of the tensors that it needs."""

    name: str  # such as CONV_2D
    inputs: tuple  # -1 where one is left out
    outputs: tuple
    options: dict  # those of TensorFlow's schema.fbs, such as strideH


class Model(NamedTuple):
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
    from ai_edge_litert import schema_py_generated as schema

    kinds = {v: k for k, v in vars(schema.BuiltinOperator).items() if k.isupper()}
    dtypes = {v: k.lower() for k, v in vars(schema.TensorType).items() if k.isupper()}
    try:
        file = schema.ModelT.InitFromPackedBuf(bytearray(model_bytes), 0)
        if model_bytes[4:8] != b"TFL3" or file.version != 3:
            raise ValueError("TFLM reads version 3 of the schema")
        [graph] = file.subgraphs
        operators = [
            Operator(
                kinds[file.operatorCodes[operator.opcodeIndex].builtinCode],
                _numbers(operator.inputs),
                _numbers(operator.outputs),
                dict(vars(operator.builtinOptions)) if operator.builtinOptions else {},
            )
            for operator in graph.operators
        ]
        tensors = [
            _tensor(index, tensor, dtypes[tensor.type], file.buffers)
            for index, tensor in enumerate(graph.tensors)
        ]
        [source], [sink] = graph.inputs, graph.outputs
        ends = tensors[source], tensors[sink]
        return Model(tuple(operators), tuple(tensors), *ends)
    except Exception as error:  # whatever comes of following wrong offsets
        raise TutorialError(
            f"The {len(model_bytes):,} bytes are not a whole TensorFlow Lite model; "
            "run notebook 05_quantize_model to make it again."
        ) from error


def _tensor(index, tensor, dtype, buffers):
    has_open_size = tensor.shapeSignature is not None
    shape = _numbers(tensor.shapeSignature if has_open_size else tensor.shape)
    data = buffers[tensor.buffer].data
    if data is not None:
        data = np.frombuffer(data.tobytes(), dtype).reshape(shape)
    scales = getattr(tensor.quantization, "scale", None)
    zero_points = getattr(tensor.quantization, "zeroPoint", None)
    quantization = np.array(_numbers(scales, float)), np.array(_numbers(zero_points))
    return Tensor(index, tensor.name.decode(), dtype, shape, *quantization, data)


def _numbers(vector, kind=int):
    return () if vector is None else tuple(map(kind, vector))


class _Runtime:
    """What both runtimes have in common; `notice` is set where one is a stand-in."""

    is_tflm = False
    notice = ""

    def __init__(self, model_bytes):
        self.model = read(model_bytes)
        self._bytes = bytes(model_bytes)
        self._invoke, self._value = self._start()

    def run(self, images_i8):
        """Return the scores, int8 (images, 10), of int8 images (images, 28, 28, 1)."""
        return self.run_with_logits(images_i8, self.model.output.index)[0]

    def run_with_logits(self, images_i8, tensor):
        """Return scores and logits, int8 (images, 10) each, of one pass of the images.

        `tensor` is the index of the tensor that holds the logits, such as the
        ``tensor`` of the last of `helpers.integer_arithmetic.layers`. LiteRT with its
        fast kernels does not keep it.
        """
        shape = (len(images_i8), math.prod(self.model.output.shape))
        scores = np.empty(shape, np.int8)
        logits = np.empty(shape, np.int8)
        for number in range(len(images_i8)):
            self._invoke(images_i8[number : number + 1])
            scores[number] = self._value(self.model.output.index).reshape(-1)
            logits[number] = self._value(tensor).reshape(-1)
        return scores, logits

    def tensors(self, images_i8):
        """Return by index each tensor that is computed; its first axis: the images."""
        invoke, value = self._start(keep_all=True)
        found = {operator.outputs[0]: [] for operator in self.model.operators}
        for number in range(len(images_i8)):
            invoke(images_i8[number : number + 1])
            for index, values in found.items():
                values.append(np.array(value(index))[0])
        return {index: np.stack(values) for index, values in found.items()}


class LiteRT(_Runtime):
    """LiteRT, with its fast kernels or with its plain `reference` ones."""

    def __init__(self, model_bytes, reference=False):
        self._reference = reference
        kernels = ", reference kernels" if reference else ""
        self.name = f"LiteRT {version('ai-edge-litert')}{kernels}"
        super().__init__(model_bytes)

    def _start(self, keep_all=False):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kernels = OpResolverType.BUILTIN_REF if self._reference else OpResolverType.AUTO
        with quiet():
            interpreter = Interpreter(
                model_content=self._bytes,
                experimental_op_resolver_type=kernels,
                experimental_preserve_all_tensors=keep_all or self._reference,
            )
            interpreter.allocate_tensors()

        def invoke(image):
            interpreter.set_tensor(self.model.input.index, image)
            interpreter.invoke()

        return invoke, interpreter.get_tensor


class TFLM(_Runtime):
    """TensorFlow Lite Micro with its reference kernels."""

    is_tflm = True

    def __init__(self, model_bytes):
        number = version("tflite-micro")
        self.name = f"TensorFlow Lite Micro {number}, reference kernels"
        super().__init__(model_bytes)

    def _start(self, keep_all=False):
        from tflite_micro import runtime

        interpreter = runtime.Interpreter.from_bytes(
            self._bytes,
            arena_size=_ARENA,
            # In any case, because `run` reads a tensor by its index, too.
            intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
        )

        def invoke(image):
            interpreter.set_input(image, 0)
            interpreter.invoke()

        return invoke, lambda index: interpreter.GetTensor(index, 0)["tensor_data"]

    def arena_used(self):
        """Return how many bytes of its arena TFLM uses for the model."""
        from tflite_micro import runtime

        interpreter = runtime.Interpreter.from_bytes(self._bytes, arena_size=_ARENA)
        with quiet() as held:  # C++ prints it
            interpreter.print_allocations()
            held.seek(0)
            return int(re.search(r"allocation total (\d+) bytes", held.read())[1])


def tflm_or_stand_in(model_bytes):
    """Return TFLM, or LiteRT's reference kernels with a notice where it is missing."""
    if importlib.util.find_spec("tflite_micro"):
        return TFLM(model_bytes)
    runtime = LiteRT(model_bytes, reference=True)
    runtime.notice = _STAND_IN
    return runtime


def arena(runtime):
    """Return ``arena_used`` and ``arena_recommended``, the bytes that a board needs for
    a model's tensors, and ``arena_rule``, a sentence that says how they were found.
    """
    if runtime.is_tflm:
        used = runtime.arena_used()
        rule = f"{used:,} bytes in use with TensorFlow Lite Micro on a 64-bit computer"
    else:  # as if no tensors shared memory, and 4 KiB for what TFLM keeps of each
        computed = [t.shape for t in runtime.model.tensors if t.data is None]
        used = sum(map(math.prod, computed)) + 4096
        rule = f"{used:,} bytes, estimated from the sizes of the tensors"
    return {
        "arena_used": used,
        "arena_recommended": -(-used * 6 // 5 // 1024) * 1024,
        "arena_rule": f"{rule}, plus a fifth for other kernels, in whole KiB.",
    }
