"""Vary training images on the fly: what a camera does to a digit, done to MNIST.

MNIST's digits are centred, upright, of one size and white on black; digits in front of
a camera are not. Most images of every batch are therefore turned, scaled, squeezed,
slanted and shifted at random, and some lose contrast, so that no two epochs show the
network the same pictures. The network and its cost on the board stay as they are.
"""

import numpy as np

PLAIN_SHARE = 0.15
"""Share of the images that keep their shape: the test set has such images too."""

SHIFT = 3.3
"""Largest shift along each axis, in pixels."""

ROTATION = 0.3
"""Largest rotation either way, in radians (17 degrees)."""

ZOOM = (0.85, 1.15)
"""A digit is drawn at 1/zoom of its size: from 87 % to 118 %."""

ASPECT = (0.95, 1.4)
"""Its width is also divided by this: a 4:3 frame made square asks for 1.33."""

SHEAR = 0.15
"""Largest slant either way: horizontal pixels per vertical pixel."""

CONTRAST_SHARE = 0.15
"""Share of the images that lose contrast."""

CONTRAST_LOSS = 64.0
"""Most by which their paper is lighter than black, their ink darker than white."""


def augment(images, seed):
    """Vary a batch of training images.

    Parameters
    ----------
    images : tf.Tensor, float32, shape (batch, height, width, channels)
        ``pixel - 128``, -128 to 127.
    seed : int tensor, shape (2,)
        Same seed, same result.

    Returns
    -------
    tf.Tensor, float32, same shape as `images`
    """
    return random_contrast(random_affine(images, seed), seed)


def random_affine(images, seed, paper=-128.0):
    """Turn, scale, squeeze, slant and shift most images of a batch at random.

    Parameters
    ----------
    images : tf.Tensor, float32, shape (batch, height, width, channels)
    seed : int tensor, shape (2,)
        Same seed, same result.
    paper : float
        Value of the background; it fills what comes into view from outside.

    Returns
    -------
    tf.Tensor, float32, same shape as `images`
        Bilinear samples of the input.
    """
    import tensorflow as tf

    shape = tf.shape(images)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=affine_maps(shape[0], seed, height=shape[1], width=shape[2]),
        output_shape=shape[1:3],
        fill_value=paper,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def random_contrast(images, seed, paper=-128.0, ink=127.0):
    """Lighten the paper and darken the ink of some images of a batch at random.

    Parameters
    ----------
    images : tf.Tensor, float32, shape (batch, height, width, channels)
    seed : int tensor, shape (2,)
        Same seed, same result.
    paper, ink : float
        Values of black and white in `images`.

    Returns
    -------
    tf.Tensor, float32, same shape as `images`
    """
    import tensorflow as tf

    # A seed of its own: what is drawn here must not depend on what was drawn there.
    seed = tf.random.experimental.stateless_fold_in(seed, 1)
    drawn = tf.random.stateless_uniform((3, tf.shape(images)[0], 1, 1, 1), seed)
    loss = CONTRAST_LOSS * tf.cast(drawn[0] < CONTRAST_SHARE, tf.float32)
    lighter, darker = loss * drawn[1], loss * drawn[2]
    share_of_ink = (images - paper) / (ink - paper)
    return paper + lighter + share_of_ink * (ink - darker - paper - lighter)


def affine_maps(count, seed, height=28, width=28):
    """Draw random maps from a varied image's pixels back to the original's.

    Parameters
    ----------
    count : int
        How many maps, one for each image.
    seed : int tensor, shape (2,)
        Same seed, same maps.
    height, width : int
        Size of the images in pixels; all but the shift happens about their centre.

    Returns
    -------
    tf.Tensor, float32, shape (count, 8)
        Rows ``a0 a1 a2 b0 b1 b2 0 0``: the new pixel (x, y) shows the original at
        ``(a0·x + a1·y + a2, b0·x + b1·y + b2)``, the convention of TensorFlow's
        ``ImageProjectiveTransformV3``.
    """
    import tensorflow as tf

    one = np.float32([0, 1, 1, 0, 0, 0])
    low = np.float32([-ROTATION, ZOOM[0], ASPECT[0], -SHEAR, -SHIFT, -SHIFT])
    high = np.float32([ROTATION, ZOOM[1], ASPECT[1], SHEAR, SHIFT, SHIFT])
    drawn = tf.random.stateless_uniform((count, 7), seed)
    plain = drawn[:, 6:] < PLAIN_SHARE
    chosen = tf.where(plain, one, low + (high - low) * drawn[:, :6])
    angle, zoom, aspect, shear, right, down = tf.unstack(chosen, axis=1)
    cos, sin = zoom * tf.cos(angle), zoom * tf.sin(angle)
    # Rotation by `angle` after slant after squeeze, each about the centre.
    a0, a1 = aspect * cos, shear * cos - sin
    b0, b1 = aspect * sin, shear * sin + cos
    centre_x = (tf.cast(width, tf.float32) - 1) / 2
    centre_y = (tf.cast(height, tf.float32) - 1) / 2
    a2 = centre_x - a0 * (centre_x + right) - a1 * (centre_y + down)
    b2 = centre_y - b0 * (centre_x + right) - b1 * (centre_y + down)
    zero = tf.zeros_like(a0)
    return tf.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)


def augmented_examples(images_i8, count, seed=0):
    """Show what training sees: several random variants of each image.

    Parameters
    ----------
    images_i8 : ndarray, int8, shape (N, 28, 28, 1)
        ``pixel - 128``.
    count : int
        Variants of each image; some of them are the image itself.
    seed : int
        Same seed, same variants.

    Returns
    -------
    ndarray, int8, shape (N, count, 28, 28, 1)
    """
    batch = np.repeat(images_i8, count, axis=0).astype(np.float32)
    varied = np.rint(augment(batch, [seed, 0]).numpy()).astype(np.int8)
    return varied.reshape(len(images_i8), count, *images_i8.shape[1:])
