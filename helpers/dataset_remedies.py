"""What is wrong with the arrays of a dataset of one's own, and the line that cures it.

Expected are images (N, 28, 28) uint8, upright, with light ink on dark paper, and labels
(N,) of whole numbers from 0 to 9. Each function returns a `Problem` or None. A remedy
is, where there is one, a line of Python for the array that it calls x or y; doing what
the remedies say, one after the other, makes the dataset one that is accepted.
"""

from dataclasses import dataclass

import numpy as np

LEAST_CONTRAST = 64  # of the lowest and the highest of all pixels
DIGITS = set(range(10))


@dataclass(frozen=True)
class Problem:
    """What was found in an array, as the end of a sentence, and what to do about it."""

    found: str
    remedy: str


def image_problem(x):
    """Return what is wrong with the images `x`, any array."""
    if x.size == 0:
        return Problem("is empty", "put images into it")
    if x.shape[1:] != (28, 28):
        return Problem(f"has the shape {x.shape}", _shape_remedy(x.shape))
    if x.dtype.kind not in "buif":  # bool, unsigned, signed or floating numbers
        return Problem(f"is of type {x.dtype}", "convert it: `x = x.astype(float)`")
    if not np.isfinite(x).all():
        remedy = "replace them: `x = np.nan_to_num(x, posinf=0, neginf=0)`"
        return Problem("has values that are nan or infinite", remedy)
    low, high = float(x.min()), float(x.max())
    if low == high:
        remedy = "make the file anew from the original images"
        return Problem(f"has no contrast: all its pixels are {low:g}", remedy)
    line = f"np.interp(x, ({low:.6g}, {high:.6g}), (0, 255)).round().astype('uint8')"
    if x.dtype != np.uint8:
        found = f"is {x.dtype} from {x.min()} to {x.max()}"
        return Problem(found, f"convert it: `x = {line}`")
    if high - low >= LEAST_CONTRAST:
        return None
    if high == 1:
        line = "x * 255"
    found = f"has no contrast: its pixels go from {low:g} to {high:g}"
    return Problem(found, f"stretch it: `x = {line}`")


def _shape_remedy(shape):
    """Return how images of this shape, images first, become (N, 28, 28)."""
    if shape[1:] == (784,):
        return "reshape it: `x = x.reshape(-1, 28, 28)`"
    if shape[:2] == (28, 28) and len(shape) == 3:
        return "put the images first: `x = x.transpose(2, 0, 1)`"
    if len(shape) == 4 and shape[3] in (1, 3, 4):  # grey, colours, with transparency
        return "make it grey: `x = x[..., :3].mean(axis=3).astype(x.dtype)`"
    if len(shape) == 4 and shape[1] in (1, 3, 4):
        return "make it grey: `x = x[:, :3].mean(axis=1).astype(x.dtype)`"
    if shape[1:] == (32, 32):
        return "crop it: `x = x[:, 2:-2, 2:-2]`"
    if len(shape) == 3:
        zoom = f"(1, 28 / {shape[1]}, 28 / {shape[2]})"
        return f"resize it: `import scipy; x = scipy.ndimage.zoom(x, {zoom}, order=1)`"
    return "arrange it as one image of 28 rows and 28 columns after the other"


def label_problem(y, images):
    """Return what is wrong with the labels `y`, any array, of so many images."""
    if y.shape != (images,):
        return Problem(f"has the shape {y.shape}", _label_shape_remedy(y.shape, images))
    if not np.can_cast(y.dtype, np.int64):
        return Problem(f"is of type {y.dtype}, such as {y[0]!r}", _type_remedy(y))
    found = set(y.tolist())
    if found == DIGITS:
        return None
    if found == set(range(1, 11)):
        remedy = "`y = y % 10` if 10 stands for 0, or `y = y - 1` if 1 does"
        return Problem("goes from 1 to 10", remedy)
    others = sorted(found - DIGITS)
    if others:
        remedy = "`keep = (0 <= y) & (y < 10); x, y = x[keep], y[keep]`"
        return Problem(
            f"has other labels than 0 to 9, such as {others[0]}",
            f"leave out what is no digit: {remedy}",
        )
    missing = ", ".join(str(digit) for digit in sorted(DIGITS - found))
    return Problem(
        f"has no {missing}",
        "add images of every digit: the network has ten answers, and each is tested",
    )


def _label_shape_remedy(shape, images):
    if shape == (images, 10):
        return "it is one-hot: `y = y.argmax(axis=1)`"
    if shape == (images, 1):
        return "drop the last axis: `y = y[:, 0]`"
    return f"give each of the {images:,} images one label"


def _type_remedy(y):
    try:
        is_whole = np.array_equal(y.astype(int), y.astype(float))
    except (ValueError, TypeError):  # such as the text "seven"
        is_whole = False
    if is_whole:
        return "convert it: `y = y.astype(int)`"
    return "write each label as a whole number, the digit"


def is_transposed(images, labels, known_images, known_labels):
    """Tell if the digits look more like known ones with rows and columns exchanged.

    EMNIST's files come so. All images are (N, 28, 28), of all ten digits.
    """
    found = _averages(images, labels)
    known = _averages(known_images, known_labels).ravel()
    as_they_are = np.corrcoef(found.ravel(), known)[0, 1]
    exchanged = np.corrcoef(found.transpose(0, 2, 1).ravel(), known)[0, 1]
    return exchanged - as_they_are > 0.2


def _averages(images, labels):
    """Return the average image of each digit, (10, 28, 28)."""
    return np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])
