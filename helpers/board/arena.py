"""How much memory the board needs for tensors: the size of TFLM's tensor arena."""

import math
from dataclasses import dataclass

import numpy as np

from helpers.board.flatbuffer import read_model
from helpers.board.runtimes import TFLM, tflm_is_available
from helpers.errors import TutorialError

STEP = 16  # bytes; TFLM aligns what it allocates to this
ROUND_TO = 1024  # bytes
HEADROOM_PERCENT = 20
_SEARCH = 4096  # bytes above what is used in which a working size must lie


@dataclass(frozen=True)
class Arena:
    """What a model needs, and what to give it.

    Attributes
    ----------
    used : int or None
        Bytes in use, as TFLM measures them on this computer; None if TFLM is absent.
    smallest : int or None
        The smallest arena, in steps of 16 bytes, with which TFLM ran an image here.
    recommended : int
        Bytes to reserve on the board.
    rule : str
        How `recommended` was found, as a sentence.
    """

    used: int | None
    smallest: int | None
    recommended: int
    rule: str


def recommended_arena(model_bytes):
    """Find the smallest arena that works, and add headroom.

    Parameters
    ----------
    model_bytes : bytes

    Returns
    -------
    Arena
        Where TFLM is not available, an estimate that says so.
    """
    if not tflm_is_available():
        recommended = _with_headroom(estimated_arena(read_model(model_bytes)))
        return Arena(
            None,
            None,
            recommended,
            "Estimated from the shapes of the tensors, because TensorFlow Lite Micro "
            f"is not available here, plus {HEADROOM_PERCENT} %, rounded up to a "
            f"multiple of {ROUND_TO:,} bytes.",
        )
    used = TFLM(model_bytes).arena_bytes
    smallest = _smallest_that_works(model_bytes, used)
    return Arena(
        used,
        smallest,
        _with_headroom(smallest),
        f"The smallest arena with which TensorFlow Lite Micro ran here ({smallest:,} "
        f"bytes, found in steps of {STEP}) plus {HEADROOM_PERCENT} % for the scratch "
        f"memory of optimised kernels, rounded up to a multiple of {ROUND_TO:,} bytes.",
    )


def estimated_arena(model):
    """Estimate the arena without TFLM.

    The largest input plus output of one operator must be in memory at once; to that
    comes what TFLM keeps for each tensor, operator and output channel on a 64-bit
    computer (24, 192 and 16 bytes) and 1 KiB for itself.

    Parameters
    ----------
    model : helpers.board.model.Model

    Returns
    -------
    int
        Bytes.
    """
    at_once = channels = 0
    for operator in model.operators:
        edges = [
            model.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0
        ]
        activations = [tensor for tensor in edges if tensor.data is None]
        at_once = max(at_once, sum(math.prod(a.shape) for a in activations))
        channels += max((len(tensor.scales) for tensor in edges), default=0)
    fixed = 24 * len(model.tensors) + 192 * len(model.operators) + 1024
    return at_once + fixed + 16 * channels


def _smallest_that_works(model_bytes, used):
    """Try arenas from `used` upwards: less than what is used cannot be enough."""
    first = -(-used // STEP) * STEP
    failure = None
    for size in range(first, first + _SEARCH, STEP):
        try:
            runtime = TFLM(model_bytes, size)
            runtime.run(np.zeros((1, *runtime.model.input.shape[1:]), np.int8))
            return size
        except TutorialError as error:
            failure = error
    raise failure


def _with_headroom(size):
    padded = size * (100 + HEADROOM_PERCENT) // 100
    return -(-padded // ROUND_TO) * ROUND_TO
