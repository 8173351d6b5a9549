"""Golden vectors: images whose exact answers are known, for a board to check itself."""

from dataclasses import dataclass

import numpy as np

from helpers.errors import TutorialError


@dataclass(frozen=True)
class Golden:
    """Test images with the exact bytes that the board's runtime gives for them.

    Attributes
    ----------
    digits : tuple of int
        The true digit of each, ascending.
    images : ndarray of int8, shape (count, 28, 28, 1)
    scores : ndarray of int8, shape (count, 10)
        The highest stands at the digit.
    """

    digits: tuple
    images: np.ndarray
    scores: np.ndarray


def choose_golden(images_i8, labels, scores_i8):
    """Take for each digit the first test image that the model classifies correctly.

    Parameters
    ----------
    images_i8 : ndarray of int8, shape (images, 28, 28, 1)
    labels : ndarray of int, shape (images,)
    scores_i8 : ndarray of int8, shape (images, 10)
        From the board's runtime.

    Returns
    -------
    Golden
        One image for each digit that `labels` has.

    Raises
    ------
    TutorialError
        If the model never recognises one of the digits.
    """
    correct = predictions(scores_i8) == labels
    digits = sorted(set(np.asarray(labels).tolist()))
    chosen = []
    for digit in digits:
        [found] = np.nonzero(correct & (labels == digit))
        if not len(found):
            raise TutorialError(
                f"The model recognises none of the {np.sum(labels == digit):,} test "
                f"images of a {digit}, so there is no golden vector for it; train "
                "longer in notebook 04_train_model."
            )
        chosen.append(found[0])
    return Golden(tuple(digits), images_i8[chosen], scores_i8[chosen])


def predictions(scores_i8):
    """Return the digit with the highest score; of equal ones the lowest digit.

    Parameters
    ----------
    scores_i8 : ndarray of int8, shape (images, 10)

    Returns
    -------
    ndarray of int64, shape (images,)
    """
    return np.argmax(scores_i8, axis=1)


def golden_mismatches(runtime, golden):
    """Count the golden images for which `runtime` gives any other byte.

    Parameters
    ----------
    runtime : helpers.board.runtimes.Runtime
    golden : Golden

    Returns
    -------
    int
    """
    return int(np.any(runtime.run(golden.images) != golden.scores, axis=1).sum())
