"""The gate: what must hold before a model is passed on, and before it is published.

`check_model` looks at the file alone, the checks here at what was measured with it.
"""

import numpy as np

from helpers.board.check import Check, require
from helpers.board.model_checks import OPERATORS, check_model

__all__ = [
    "OPERATORS",
    "Check",
    "check_accuracy",
    "check_arithmetic",
    "check_compiled",
    "check_golden",
    "check_model",
    "require",
]


def check_accuracy(
    float_correct, board_correct, total, max_accuracy_drop, runtime_name
):
    """Check that quantisation did not cost more accuracy than is allowed.

    Parameters
    ----------
    float_correct, board_correct : int
        Test images classified correctly by the float model and by `runtime_name`.
    total : int
        Test images.
    max_accuracy_drop : float
        In percentage points.
    runtime_name : str

    Returns
    -------
    Check
    """
    drop = 100 * (float_correct - board_correct) / total
    passed = drop <= max_accuracy_drop + 1e-9
    change = f"{abs(drop):.2f} percentage points {'lower' if drop > 0 else 'higher'}"
    sentence = (
        f"{_rate(board_correct, total)} on {runtime_name} against "
        f"{_rate(float_correct, total)} in float, {change if drop else 'the same'}; "
        f"{max_accuracy_drop:g} lower is allowed"
    )
    remedy = ": see notebook 05_quantize_model, or raise max_accuracy_drop"
    return Check("accuracy", passed, f"{sentence}{'' if passed else remedy}.")


def check_golden(mismatches, count, runtime_name):
    """Check that the golden vectors come out again, byte for byte.

    Parameters
    ----------
    mismatches, count : int
        Images with any other byte, and images.
    runtime_name : str

    Returns
    -------
    Check
    """
    return Check(
        "golden vectors",
        mismatches == 0,
        f"{count - mismatches} of {count} reproduced exactly by {runtime_name}.",
    )


def check_arithmetic(scores, integer_scores, runtime_name, exact=True):
    """Check that a runtime computes what the integer arithmetic of the layers gives.

    Parameters
    ----------
    scores, integer_scores : ndarray of int8, shape (images, 10)
        From `runtime_name` and from `helpers.board.integer_model.Integers`.
    runtime_name : str
    exact : bool
        Whether that is the board's runtime; its stand-in may differ by one step.

    Returns
    -------
    Check
    """
    steps = np.abs(scores.astype(int) - integer_scores)
    allowed = "no difference" if exact else "one step"
    return Check(
        "arithmetic",
        bool(steps.max(initial=0) <= (0 if exact else 1)),
        f"{np.count_nonzero(steps)} of {steps.size:,} scores on {runtime_name} differ "
        f"from integer arithmetic in NumPy, the largest by {steps.max(initial=0)}; "
        f"{allowed} is allowed.",
    )


def check_compiled(array_bytes, model_bytes):
    """Check that the compiled C array is the model, byte for byte.

    Parameters
    ----------
    array_bytes : bytes
        From `helpers.board.compiled.compiled_bytes`.
    model_bytes : bytes

    Returns
    -------
    Check
    """
    same = array_bytes == bytes(model_bytes)
    found = "the model, byte for byte" if same else "not the model that was tested"
    sentence = f"what the compiler made of the C array is {found}."
    return Check("compiled array", same, sentence)


def _rate(correct, total):
    return f"{correct:,} of {total:,} correct ({100 * correct / total:.2f} %)"
