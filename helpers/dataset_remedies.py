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
# Value ranges in use, and how to get from each to bytes. The first that fits is taken.
RANGES = (
    (0, 1, "x = np.rint(255 * x.astype(float)).astype('uint8')"),
    (-0.5, 0.5, "x = np.rint(255 * (x.astype(float) + 0.5)).astype('uint8')"),
    (-1, 1, "x = np.rint(127.5 * (x.astype(float) + 1)).astype('uint8')"),
    (0, 255, "x = np.rint(x).astype('uint8')"),
    (-128, 127, "x = np.rint(x.astype(float) + 128).astype('uint8')"),
)


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
    if x.dtype != np.uint8:
        found = f"is {x.dtype} from {x.min()} to {x.max()}"
        line = _to_bytes(float(x.min()), float(x.max()))
        return Problem(found, f"convert it: `{line}`")
    return _contrast_problem(int(x.min()), int(x.max()))


def _shape_remedy(shape):
    """Return how images of this shape, images first, become (N, 28, 28)."""
    if shape[1:] == (784,):
        return "reshape it: `x = x.reshape(-1, 28, 28)`"
    if shape[:2] == (28, 28) and len(shape) == 3:
        return "put the images first: `x = x.transpose(2, 0, 1)`"
    if len(shape) == 4 and shape[3] in (3, 4):
        return "make it grey: `x = x[..., :3].mean(axis=3).astype(x.dtype)`"
    if len(shape) == 4 and shape[1] in (3, 4):
        return "make it grey: `x = x[:, :3].mean(axis=1).astype(x.dtype)`"
    if len(shape) == 4 and shape[3] == 1:
        return "drop the last axis: `x = x[..., 0]`"
    if len(shape) == 4 and shape[1] == 1:
        return "drop the second axis: `x = x[:, 0]`"
    if shape[1:] == (32, 32):
        return "crop it: `x = x[:, 2:-2, 2:-2]`"
    if len(shape) == 3:
        zoom = f"(1, 28 / {shape[1]}, 28 / {shape[2]})"
        return f"resize it: `import scipy; x = scipy.ndimage.zoom(x, {zoom}, order=1)`"
    return "arrange it as one image of 28 rows and 28 columns after the other"


def _to_bytes(low, high):
    """Return the line that brings pixels from `low` to `high` to whole 0 … 255."""
    is_narrow = high - low < 16  # such as after standardization, mean 0, deviation 1
    for lowest, highest, line in RANGES:
        fits = lowest <= low and high <= highest
        if fits and not (is_narrow and highest > 1):
            return line
    if low == high:
        return "x = x.astype('uint8')"
    line = f"np.rint(255 * (x.astype(float) {-low:+.6g}) / {high - low:.6g})"
    return f"x = np.clip({line}, 0, 255).astype('uint8')"


def _contrast_problem(low, high):
    found = f"has no contrast: its pixels go from {low} to {high}"
    if low == high:
        return Problem(found, "make the file anew from the original images")
    if high - low >= LEAST_CONTRAST:
        return None
    line = f"x = np.rint(255 / {high - low} * (x - {low})).astype('uint8')"
    if (low, high) == (0, 1):
        line = "x = x * 255"
    return Problem(found, f"stretch it: `{line}`")


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
        whole = y.astype(int)
        is_whole = np.array_equal(whole, y.astype(float))
    except (ValueError, TypeError):  # such as the text "seven"
        is_whole = False
    if is_whole:
        return "convert it: `y = y.astype(int)`"
    return "write each label as a whole number, the digit"


def is_transposed(images, labels, known_images, known_labels):
    """Tell if the digits look more like known ones with rows and columns exchanged.

    EMNIST's files come so. All images are (N, 28, 28), of all ten digits; the average
    of each digit is correlated with the known one, both ways.
    """
    as_they_are = 0.0
    exchanged = 0.0
    for digit in range(10):
        average = images[labels == digit].mean(axis=0)
        known = known_images[known_labels == digit].mean(axis=0).ravel()
        with np.errstate(invalid="ignore"):  # an average without any contrast
            as_they_are += np.corrcoef(average.ravel(), known)[0, 1]
            exchanged += np.corrcoef(average.T.ravel(), known)[0, 1]
    return exchanged - as_they_are > 2  # 0.2 for each digit
