"""What the model reads in a drawing, as it was drawn and normalised as MNIST was."""

from dataclasses import dataclass

import numpy as np

from helpers.errors import TutorialError
from helpers.learn.normalise import SIDE, box_average, normalise
from helpers.paths import shorten

SURE = 0.5  # the board's example program calls anything less likely "unknown"


@dataclass(frozen=True)
class Reading:
    """One picture and what the model makes of it.

    Attributes
    ----------
    seen_i8 : ndarray of int8, shape (28, 28)
        The picture as the model gets it: -128 is paper, 127 is ink.
    probabilities : ndarray of float64, shape (10,)
        Of the digits 0 to 9, from 0 to 1.
    """

    seen_i8: np.ndarray
    probabilities: np.ndarray

    @property
    def digit(self):
        """The likeliest digit, 0 to 9."""
        return int(self.probabilities.argmax())

    @property
    def sure(self):
        """Whether the likeliest digit is likelier than all others together."""
        return self.probabilities[self.digit] > SURE

    def __str__(self):
        article = "an" if self.digit == 8 else "a"
        return f"{article} {self.digit} ({percent(self.probabilities[self.digit])})"


def read_both_ways(ink, predict):
    """Let the model read a drawing twice: as it was drawn, and normalised.

    Parameters
    ----------
    ink : ndarray of uint8, shape (height, width)
        Light ink on paper that is exactly 0.
    predict : callable
        From int8 of shape (28, 28) to ten probabilities.

    Returns
    -------
    as_drawn, normalised : Reading
        The first is only scaled down to 28×28, each pixel the mean of its area.

    Raises
    ------
    TutorialError
        If `predict` returns anything but ten probabilities.
    """
    pictures = box_average(ink, SIDE, SIDE), normalise(ink)
    return tuple(_read(picture, predict) for picture in pictures)


def sentences(chosen, other, normalised):
    """Say in words what the model reads.

    Parameters
    ----------
    chosen, other : Reading
        Of the picture that is shown, and of the same drawing prepared the other way.
    normalised : bool
        Whether `chosen` is the normalised one.

    Returns
    -------
    answer, comparison : str
    """
    verb = "reads" if chosen.sure else "is unsure: perhaps"
    way = "As drawn" if normalised else "Normalised"
    doubt = "" if other.sure else "perhaps "
    return f"The model {verb} {chosen}.", f"{way}, it would read {doubt}{other}."


def percent(probability):
    """Return a probability in whole percent, never rounded to certainty.

    Parameters
    ----------
    probability : float
        0 to 1.

    Returns
    -------
    str
        With a space that does not break: ``98 %``, ``>99 %``, ``<1 %``.
    """
    number = f"{100 * probability:.0f}"
    if number == "0" and probability > 0:
        number = "<1"
    if number == "100":
        number = ">99"
    return f"{number}\N{NO-BREAK SPACE}%"


def _read(picture_u8, predict):
    seen_i8 = (picture_u8.astype(np.int16) - 128).astype(np.int8)
    answer = predict(seen_i8.copy())  # a copy: what is shown must be what was read
    probabilities = np.asarray(answer, np.float64).reshape(-1)
    if probabilities.size != 10 or not np.all(
        (probabilities >= 0) & (probabilities <= 1)
    ):
        raise TutorialError(
            f"predict returned {shorten(answer)}, but draw_digit needs ten numbers "
            "from 0 to 1: dequantise the model's output, and apply a softmax to logits."
        )
    return Reading(seen_i8, probabilities)
