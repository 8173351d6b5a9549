"""The two programs that run a `.tflite`.

LiteRT is fast and runs everywhere; TensorFlow Lite Micro (TFLM) is what the
microcontroller runs.

Both are native code. Give them files that this run made; what comes from elsewhere goes
through `helpers.board.child.run_in_child`.
"""

import functools
import importlib.metadata
import importlib.util
import math
import os
import re
import warnings
from abc import ABC, abstractmethod

import numpy as np

from helpers.board.flatbuffer import read_model
from helpers.board.native_errors import captured_stderr, explained
from helpers.errors import TutorialError
from helpers.quiet import quiet

CHOICE = "BOARD_RUNTIME"  # environment variable: auto, tflm or litert
_PROGRESS_STEP = 250  # images
_THREADS = 2  # more bring nothing for a network as small as this
_ROOMY_ARENA = 2**20  # bytes; enough to see what a model needs

STAND_IN_NOTICE = (
    "TensorFlow Lite Micro is not available here (its package exists for Linux on "
    "x86-64 only), so LiteRT's reference kernels stand in for it: their outputs differ "
    "from the board's by about one step in 256 at most."
)


class Runtime(ABC):
    """What both runtimes have in common.

    Attributes
    ----------
    name : str
        For people: the runtime with its version.
    is_board_runtime : bool
        Whether it computes what the board computes.
    notice : str
        A sentence to show where it stands in for the board's runtime, else empty.
    model : helpers.board.model.Model
    """

    is_board_runtime = False
    notice = ""

    def __init__(self, model_bytes):
        self.model = read_model(model_bytes)
        self._bytes = bytes(model_bytes)

    def run(self, images_i8, progress=None):
        """Return the int8 scores of many images, one by one as on the board.

        Parameters
        ----------
        images_i8 : ndarray of int8, shape (images, 28, 28, 1)
            Pixel − 128.
        progress : callable, optional
            Called with the number of images done since the last call.

        Returns
        -------
        ndarray of int8, shape (images, classes)

        Raises
        ------
        TutorialError
            If images and model do not fit each other, or the runtime fails.
        """
        self._check(images_i8)
        classes = math.prod(self.model.output.shape)
        scores = np.empty((len(images_i8), classes), np.int8)
        for first in range(0, len(images_i8), _PROGRESS_STEP):
            block = images_i8[first : first + _PROGRESS_STEP]
            with explained(self.name):
                for offset in range(len(block)):
                    image = block[offset : offset + 1]
                    scores[first + offset] = self._run_one(image).reshape(-1)
            if progress is not None:
                progress(len(block))
        return scores

    def intermediates(self, images_i8):
        """Return every tensor that the network computes.

        Parameters
        ----------
        images_i8 : ndarray of int8, shape (images, 28, 28, 1)

        Returns
        -------
        dict of int to ndarray of int8
            Index of the tensor to its values, first axis: the images.
        """
        self._check(images_i8)
        indices = [index for step in self.model.operators for index in step.outputs]
        values = {
            index: np.empty(
                (len(images_i8), *self.model.tensors[index].shape[1:]), "i1"
            )
            for index in indices
        }
        with explained(self.name):
            run_one, tensor = self._keeping_all()
            for number in range(len(images_i8)):
                run_one(images_i8[number : number + 1])
                for index in indices:
                    values[index][number] = tensor(index)[0]
        return values

    @abstractmethod
    def _run_one(self, image):
        """Return the output for one image of shape (1, 28, 28, 1)."""

    @abstractmethod
    def _keeping_all(self):
        """Return functions that run one image and that give any tensor afterwards."""

    def _check(self, images_i8):
        expected = self.model.input
        found = np.asarray(images_i8)
        if found.dtype.name != expected.dtype or found.shape[1:] != expected.shape[1:]:
            raise TutorialError(
                f"The model reads {expected.dtype} images of shape "
                f"{list(expected.shape[1:])}, but these are {found.dtype} of shape "
                f"{list(found.shape[1:])}."
            )


class LiteRT(Runtime):
    """LiteRT, formerly TensorFlow Lite: the runtime of phones and computers.

    Parameters
    ----------
    model_bytes : bytes
        A `.tflite`.
    reference : bool
        Use its plain reference kernels, which come closer to TFLM's than the fast ones.
    """

    def __init__(self, model_bytes, reference=False):
        super().__init__(model_bytes)
        self._reference = reference
        kernels = ", reference kernels" if reference else ""
        self.name = f"LiteRT {_version('ai-edge-litert')}{kernels}"
        self._interpreter = self._new()
        self._input, self._output = self.model.inputs[0], self.model.outputs[0]

    def _new(self, **options):
        from ai_edge_litert import interpreter as litert

        if self._reference:
            kernels = litert.OpResolverType.BUILTIN_REF
            options["experimental_op_resolver_type"] = kernels
        with explained(self.name), quiet():
            interpreter = litert.Interpreter(
                model_content=self._bytes, num_threads=_THREADS, **options
            )
            interpreter.allocate_tensors()
        return interpreter

    def _run_one(self, image):
        self._interpreter.set_tensor(self._input, image)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)

    def _keeping_all(self):
        with warnings.catch_warnings():  # that it is meant for debugging
            warnings.simplefilter("ignore")
            interpreter = self._new(experimental_preserve_all_tensors=True)

        def run_one(image):
            interpreter.set_tensor(self._input, image)
            interpreter.invoke()

        return run_one, interpreter.get_tensor


class TFLM(Runtime):
    """TensorFlow Lite Micro, the microcontroller's runtime, built for this computer.

    Parameters
    ----------
    model_bytes : bytes
        A `.tflite`.
    arena_size : int, optional
        Bytes of memory that it may use for tensors; 1 MiB if left out.
    """

    is_board_runtime = True

    def __init__(self, model_bytes, arena_size=_ROOMY_ARENA):
        super().__init__(model_bytes)
        self.name = f"TensorFlow Lite Micro {_version('tflite-micro')}"
        self._interpreter = self._new(arena_size)

    def _new(self, arena_size, keep_all=False):
        from tflite_micro import runtime

        config = runtime.InterpreterConfig
        with explained(self.name):
            return runtime.Interpreter.from_bytes(
                self._bytes,
                arena_size=arena_size,
                intrepreter_config=(
                    config.kPreserveAllTensors
                    if keep_all
                    else config.kAllocationRecording
                ),
            )

    @functools.cached_property
    def arena_bytes(self):
        """Bytes of the tensor arena in use, as TFLM itself measures them here.

        Pointers have 64 bits here and 32 on most microcontrollers, which need less.
        """
        with captured_stderr() as text:
            self._interpreter.print_allocations()
            return int(re.search(r"Arena allocation total (\d+) bytes", text())[1])

    def _run_one(self, image):
        self._interpreter.set_input(image, 0)
        self._interpreter.invoke()
        return self._interpreter.get_output(0)

    def _keeping_all(self):
        interpreter = self._new(_ROOMY_ARENA, keep_all=True)

        def run_one(image):
            interpreter.set_input(image, 0)
            interpreter.invoke()

        return run_one, lambda index: interpreter.GetTensor(index, 0)["tensor_data"]


def tflm_is_available():
    """Return whether TensorFlow Lite Micro can be used here.

    The environment variable ``BOARD_RUNTIME=litert`` says no, ``tflm`` insists on it,
    and ``auto`` or nothing looks for the package.
    """
    choice = os.environ.get(CHOICE) or "auto"
    if choice not in ("auto", "tflm", "litert"):
        raise TutorialError(
            f"The environment variable {CHOICE} is {choice!r}, but it may be auto, "
            "tflm or litert."
        )
    installed = importlib.util.find_spec("tflite_micro") is not None
    if choice == "tflm" and not installed:
        raise TutorialError(
            f"{CHOICE} asks for tflm, but the package tflite-micro is not installed; "
            "run pip install tflite-micro (Linux on x86-64 only) or unset it."
        )
    return installed and choice != "litert"


def board_runtime(model_bytes):
    """Return the runtime of the board, or what comes closest to it here.

    Parameters
    ----------
    model_bytes : bytes

    Returns
    -------
    TFLM or LiteRT
        `LiteRT` with its reference kernels and a `notice` where TFLM is not available.
    """
    if tflm_is_available():
        return TFLM(model_bytes)
    runtime = LiteRT(model_bytes, reference=True)
    runtime.notice = STAND_IN_NOTICE
    return runtime


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"
