"""Test pictures as a camera would take them: the same digits under worse conditions.

All images are int8, (N, 28, 28, 1), ``pixel - 128``, light ink on dark paper as in
MNIST. What comes into view from outside is black.
"""

from functools import partial

import numpy as np
from scipy import ndimage

from helpers.datasets import paper_is_light


def pictures(images_i8):
    """Yield caption and images_i8 for each of `EFFECTS`."""
    for caption, effect in EFFECTS.items():
        yield caption, effect(images_i8)


def draw_sample(images_i8, labels, count=2000):
    """Return `count` images and their labels, always the same ones, drawn at random.

    The first images of a test set may be harder than the rest, as MNIST's are. If there
    are no more than `count`, all are returned.
    """
    generator = np.random.default_rng(0)
    chosen = generator.permutation(len(labels))[:count]
    return images_i8[chosen], labels[chosen]


def keep(images_i8):
    """Leave the digits as they are."""
    return images_i8


def invert(images_i8):
    """Swap ink and paper: ``-1 - v`` stands for 255 - pixel, and never overflows."""
    return np.int8(-1) - images_i8


def fix_polarity(images_i8):
    """Invert the pictures whose paper is light, and only those."""
    light = paper_is_light(images_i8).reshape(-1, 1, 1, 1)
    return np.where(light, invert(images_i8), images_i8)


def invert_and_fix(images_i8):
    """Invert the digits, and let `fix_polarity` undo it."""
    return fix_polarity(invert(images_i8))


def shift(images_i8, down, right):
    """Move the digits by whole pixels."""
    return ndimage.shift(images_i8, (0, down, right, 0), order=0, cval=-128)


def rotate(images_i8, degrees):
    """Turn the digits about the centre, every other one the other way; bilinear."""
    pixels = _pixels(images_i8)
    pixels[::2] = _rotated(pixels[::2], degrees)
    pixels[1::2] = _rotated(pixels[1::2], -degrees)
    return _int8(pixels)


def _rotated(pixels, degrees):
    return ndimage.rotate(
        pixels, degrees, axes=(2, 1), reshape=False, order=1, mode="grid-constant"
    )


def squeeze(images_i8):
    """Press the digits to 75 % of their width, as a 4:3 frame in a square picture is.

    Each new pixel is the mean of the 4/3 old pixels that it covers.
    """
    images = len(images_i8)
    thirds = np.repeat(_pixels(images_i8), 3, axis=2)
    pressed = thirds.reshape(images, 28, 21, 4, 1).mean(axis=3)
    return _int8(np.pad(pressed, ((0, 0), (0, 0), (3, 4), (0, 0))))


def change_contrast(images_i8, ink, paper):
    """Print the digits in grey on grey: pixel values that white and black become."""
    return _int8(paper + (ink - paper) / 255 * _pixels(images_i8))


def add_noise(images_i8, sigma, seed=0):
    """Add a sensor's normal noise, `sigma` in pixel values, cut off at 0 and 255."""
    noise = np.random.default_rng(seed).normal(0, sigma, images_i8.shape)
    return _int8(_pixels(images_i8) + noise)


def blur(images_i8, sigma):
    """Put the camera out of focus: a Gaussian, `sigma` in pixels."""
    pixels = _pixels(images_i8)
    return _int8(ndimage.gaussian_filter(pixels, (0, sigma, sigma, 0), mode="constant"))


def light_unevenly(images_i8, ink, paper, dark):
    """Light the paper from the upper left; opposite, only a share `dark` is left."""
    ramp = np.linspace(0, 0.5, 28, dtype=np.float32)
    light = 1 - (1 - dark) * np.add.outer(ramp, ramp)[..., None]
    return _int8(light * (paper + (ink - paper) / 255 * _pixels(images_i8)))


def _pixels(images_i8):
    return images_i8.astype(np.float32) + 128


def _int8(pixels):
    return (np.clip(np.rint(pixels), 0, 255) - 128).astype(np.int8)


# By caption: what is done to the test images, and how strongly, in the order in which
# figures show it: first nothing, and the two inverted ones last.
EFFECTS = {
    "As in the test set": keep,
    "Shifted 1 px diagonally": partial(shift, down=1, right=1),
    "Shifted 2 px diagonally": partial(shift, down=2, right=2),
    "Shifted 3 px diagonally": partial(shift, down=3, right=3),
    "Shifted 4 px diagonally": partial(shift, down=4, right=4),
    "Rotated by 15° either way": partial(rotate, degrees=15),
    "Squeezed to 75 % width": squeeze,
    "Ink 200 on paper 40": partial(change_contrast, ink=200, paper=40),
    "Noise, σ = 15": partial(add_noise, sigma=15),
    "Blurred, σ = 1 px": partial(blur, sigma=1),
    "Uneven light": partial(light_unevenly, ink=230, paper=50, dark=0.45),
    "Inverted": invert,
    "Inverted, polarity fixed": invert_and_fix,
}
