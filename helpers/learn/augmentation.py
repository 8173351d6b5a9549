"""Vary training images on the fly: what a camera does to a digit, done to MNIST.

MNIST's digits are centred, upright and of one size; digits in front of a camera are
not. Every batch is therefore turned, scaled, squeezed, slanted and shifted at random
before the network sees it, so that no two epochs show the same picture. The network
and its cost on the board stay as they are.
"""

import numpy as np

PAPER = -128
"""Value of the background in int8 images: black, pixel 0."""

SHIFT = 3.0
"""Largest shift along each axis, in pixels."""

ROTATION = 0.2
"""Largest rotation either way, in radians (about 11 degrees)."""

ZOOM = (0.85, 1.25)
"""A digit is drawn at 1/zoom of its size: from 80 % to 118 %."""

ASPECT = (0.95, 1.4)
"""Its width is further divided by this: 4:3 frames squeezed to squares ask for 1.33."""

SHEAR = 0.2
"""Largest slant either way: horizontal pixels per vertical pixel."""


def affine_transforms(count, seed, *, strength=1.0, height=28, width=28):
    """Draw random maps from output pixels back to input pixels.

    Parameters
    ----------
    count : int
        How many maps, one for each image.
    seed : int tensor, shape (2,)
        Same seed, same maps.
    strength : float in [0, 1]
        Scales every range: 0 leaves the images as they are.
    height, width : int
        Size of the images in pixels; rotation and zoom are about their centre.

    Returns
    -------
    tf.Tensor, float32, shape (count, 8)
        Rows ``a0 a1 a2 b0 b1 b2 0 0``: output pixel (x, y) shows the input at
        ``(a0·x + a1·y + a2, b0·x + b1·y + b2)``, the convention of TensorFlow's
        ``ImageProjectiveTransformV3``.
    """
    import tensorflow as tf

    low = np.array([-ROTATION, ZOOM[0] - 1, ASPECT[0] - 1, -SHEAR, -SHIFT, -SHIFT])
    high = np.array([ROTATION, ZOOM[1] - 1, ASPECT[1] - 1, SHEAR, SHIFT, SHIFT])
    uniform = tf.random.stateless_uniform((6, count), seed)
    drawn = strength * (low + (high - low) * tf.transpose(uniform))
    angle, zoom, aspect, shear, shift_x, shift_y = tf.unstack(
        tf.cast(drawn, tf.float32), axis=1
    )
    zoom, aspect = 1 + zoom, 1 + aspect
    cos, sin = tf.cos(angle), tf.sin(angle)
    a0, a1 = zoom * aspect * cos, zoom * aspect * (shear * cos - sin)
    b0, b1 = zoom * sin, zoom * (shear * sin + cos)
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    a2 = centre_x + shift_x - a0 * centre_x - a1 * centre_y
    b2 = centre_y + shift_y - b0 * centre_x - b1 * centre_y
    zero = tf.zeros_like(a0)
    return tf.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)


def random_affine(images, seed, *, paper=PAPER, strength=1.0):
    """Turn, scale, squeeze, slant and shift each image of a batch at random.

    Parameters
    ----------
    images : tf.Tensor, float32, shape (batch, height, width, channels)
        In any units.
    seed : int tensor, shape (2,)
        Same seed, same result.
    paper : float
        Value of the background in the units of `images`; it fills what comes into
        view from outside.
    strength : float in [0, 1]
        Scales every range: 0 leaves the images as they are.

    Returns
    -------
    tf.Tensor, float32, same shape as `images`
        Bilinear samples of the input.
    """
    import tensorflow as tf

    shape = tf.shape(images)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=affine_transforms(shape[0], seed, strength=strength),
        output_shape=shape[1:3],
        fill_value=tf.cast(paper, tf.float32),
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def augmented_examples(images_i8, count, seed=0):
    """Show what training sees: several random variants of each image.

    Parameters
    ----------
    images_i8 : ndarray, int8, shape (N, 28, 28, 1)
        ``pixel - 128``.
    count : int
        Variants of each image.
    seed : int
        Same seed, same variants.

    Returns
    -------
    ndarray, int8, shape (N, count, 28, 28, 1)
    """
    batch = np.repeat(images_i8, count, axis=0).astype(np.float32)
    varied = random_affine(batch, [seed, 0]).numpy()
    return np.rint(varied).astype(np.int8).reshape(len(images_i8), count, 28, 28, 1)
