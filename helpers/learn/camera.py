"""Test pictures as a camera would take them: the same digits under worse conditions.

Every effect takes and gives int8 images, ``pixel - 128``, light ink on dark paper as in
MNIST. Paper that comes into view from outside is black.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Effect(NamedTuple):
    """One thing that a camera does to a picture."""

    caption: str
    apply: Callable
    """Takes (images_i8, random generator), gives images_i8."""


def camera_pictures(images_i8, seed=0):
    """Take all pictures of a camera report, one effect at a time.

    Parameters
    ----------
    images_i8 : ndarray, int8, shape (N, 28, 28, 1)
        ``pixel - 128``.
    seed : int
        Decides the noise; each effect's noise is its own.

    Yields
    ------
    name : str
        Key of :data:`EFFECTS`.
    effect : Effect
        Its caption is for readers.
    pictures : ndarray, int8, same shape as `images_i8`
    """
    for name, effect in EFFECTS.items():
        yield name, effect, effect.apply(images_i8, np.random.default_rng(seed))


def shifted(images_i8, down, right):
    """Move the digits by whole pixels.

    Parameters
    ----------
    images_i8 : ndarray, int8, shape (N, height, width, 1)
    down, right : int
        Pixels; negative values move up and left.

    Returns
    -------
    ndarray, int8, same shape
    """
    height, width = images_i8.shape[1:3]
    rows, columns = np.arange(height) - down, np.arange(width) - right
    seen = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
    moved = images_i8[:, rows % height][:, :, columns % width]
    return np.where(seen[..., None], moved, np.int8(-128))


def rotated(images_i8, degrees):
    """Turn the digits about the centre of the picture, counter-clockwise.

    Parameters
    ----------
    images_i8 : ndarray, int8, shape (N, height, width, 1)
    degrees : float

    Returns
    -------
    ndarray, int8, same shape
        Sampled bilinearly.
    """
    pixels = _pixels(images_i8)
    height, width = pixels.shape[1:3]
    y, x = np.mgrid[:height, :width]
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    source_y = sin * x + cos * y + (height - 1) / 2
    source_x = cos * x - sin * y + (width - 1) / 2
    top, left = np.floor(source_y).astype(int), np.floor(source_x).astype(int)
    turned = np.zeros_like(pixels)
    for down, right in np.ndindex(2, 2):
        row, column = top + down, left + right
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        share = (1 - abs(source_y - row)) * (1 - abs(source_x - column)) * inside
        turned += share[..., None] * pixels[:, row % height, column % width]
    return _int8(turned)


def either_way(images_i8, degrees):
    """Turn the first, third, fifth … digit one way and the others the other way.

    Parameters
    ----------
    images_i8 : ndarray, int8, shape (N, height, width, 1)
    degrees : float

    Returns
    -------
    ndarray, int8, same shape
    """
    turned = rotated(images_i8, degrees)
    turned[1::2] = rotated(images_i8[1::2], -degrees)
    return turned


def squeezed(images_i8, share=0.75):
    """Press the digits together sideways, as a 4:3 frame in a square picture is.

    Parameters
    ----------
    images_i8 : ndarray, int8, shape (N, height, width, 1)
    share : float in (0, 1]
        New width over old width.

    Returns
    -------
    ndarray, int8, same shape
        Each new pixel is the mean of the part of the old row that it covers.
    """
    pixels = _pixels(images_i8)
    width = pixels.shape[2]
    narrow = round(width * share)
    # Cell [i, j]: how much of old pixel j lies under new pixel i, over i's own width.
    edges = np.arange(narrow + 1) * width / narrow
    old = np.arange(width)
    high = np.minimum(edges[1:, None], old + 1)
    low = np.maximum(edges[:-1, None], old)
    cover = np.maximum(high - low, 0) * narrow / width
    left = (width - narrow) // 2
    pressed = np.zeros_like(pixels)
    pressed[:, :, left : left + narrow] = np.einsum("ij,nyjc->nyic", cover, pixels)
    return _int8(pressed)


def low_contrast(images_i8, ink=200, paper=40):
    """Print the digits in grey on grey.

    Parameters
    ----------
    images_i8 : ndarray, int8
    ink, paper : float
        Pixel values, 0 to 255, that white and black become.

    Returns
    -------
    ndarray, int8, same shape
    """
    return _int8(paper + (ink - paper) / 255 * _pixels(images_i8))


def noisy(images_i8, generator, deviation=15.0):
    """Add the sensor's noise.

    Parameters
    ----------
    images_i8 : ndarray, int8
    generator : numpy.random.Generator
    deviation : float
        Standard deviation of the normal distribution, in pixel values.

    Returns
    -------
    ndarray, int8, same shape
        Values beyond black and white are cut off.
    """
    return _int8(_pixels(images_i8) + generator.normal(0, deviation, images_i8.shape))


def blurred(images_i8, deviation=1.0):
    """Put the camera out of focus.

    Parameters
    ----------
    images_i8 : ndarray, int8, shape (N, height, width, 1)
    deviation : float
        Standard deviation of the Gaussian, in pixels.

    Returns
    -------
    ndarray, int8, same shape
    """
    pixels = _pixels(images_i8)
    down, across = (_gaussian(side, deviation) for side in pixels.shape[1:3])
    return _int8(np.einsum("iy,nyxc,jx->nijc", down, pixels, across, optimize=True))


def unevenly_lit(images_i8, dark=0.45, ink=230, paper=50):
    """Light the paper from the upper left corner.

    Parameters
    ----------
    images_i8 : ndarray, int8, shape (N, height, width, 1)
    dark : float in [0, 1]
        Light in the lower right corner, as a share of that in the upper left one.
    ink, paper : float
        Pixel values, 0 to 255, in full light.

    Returns
    -------
    ndarray, int8, same shape
    """
    height, width = images_i8.shape[1:3]
    across = np.add.outer(np.linspace(0, 0.5, height), np.linspace(0, 0.5, width))
    light = 1 - (1 - dark) * across[..., None]
    return _int8(light * (paper + (ink - paper) / 255 * _pixels(images_i8)))


def fix_polarity(images_i8):
    """Turn dark ink on light paper into light ink on dark paper, and back.

    Parameters
    ----------
    images_i8 : ndarray, int8

    Returns
    -------
    ndarray, int8, same shape
        ``-1 - v``: pixel p becomes 255 − p, for (255 − p) − 128 = −1 − (p − 128). No
        value overflows: −128 becomes 127.
    """
    return np.int8(-1) - images_i8


def _pixels(images_i8):
    return images_i8.astype(np.float32) + 128


def _int8(pixels):
    return (np.clip(np.rint(pixels), 0, 255) - 128).astype(np.int8)


def _gaussian(side, deviation):
    # Row i weighs the pixels that make pixel i; black outside needs no weight.
    distance = np.subtract.outer(np.arange(side), np.arange(side))
    reach = np.arange(-4 * side, 4 * side + 1)
    total = np.exp(-(reach**2) / (2 * deviation**2)).sum()
    return np.exp(-(distance**2) / (2 * deviation**2)) / total


EFFECTS = {
    "clean": Effect("As in the test set", lambda images, _: images),
    "shifted_1": Effect("Shifted 1 px diagonally", lambda i, _: shifted(i, 1, 1)),
    "shifted_2": Effect("Shifted 2 px diagonally", lambda i, _: shifted(i, 2, 2)),
    "shifted_3": Effect("Shifted 3 px diagonally", lambda i, _: shifted(i, 3, 3)),
    "shifted_4": Effect("Shifted 4 px diagonally", lambda i, _: shifted(i, 4, 4)),
    "rotated": Effect("Rotated by 15° either way", lambda i, _: either_way(i, 15)),
    "squeezed": Effect("Squeezed to 75 % width", lambda images, _: squeezed(images)),
    "low_contrast": Effect("Ink 200 on paper 40", lambda i, _: low_contrast(i)),
    "noisy": Effect("Noise, σ = 15", noisy),
    "blurred": Effect("Blurred, σ = 1 px", lambda images, _: blurred(images)),
    "uneven_light": Effect("Uneven light", lambda images, _: unevenly_lit(images)),
    "inverted": Effect("Inverted", lambda images, _: fix_polarity(images)),
    "inverted_fixed": Effect(
        "Inverted, polarity fixed", lambda i, _: fix_polarity(fix_polarity(i))
    ),
}
"""All effects of a camera report, in the order of its rows."""
