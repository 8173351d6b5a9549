"""Training images varied at random.

MNIST's digits are centred, upright, of one size and white on black; digits in front of
a camera are not. So training images are turned, scaled, squeezed, slanted and shifted.
The network's cost on the board stays as it is.
"""

import numpy as np

# Each range is drawn from evenly.
ROTATION = 0.3  # radians either way
ZOOM = (0.85, 1.15)  # a digit is drawn at 1/zoom of its size
ASPECT = (0.95, 1.4)  # its width is also divided by this: 4:3 made square is 1.33
SHEAR = 0.15  # horizontal pixels per vertical pixel, either way
SHIFT = 3.3  # pixels along each axis, either way


def random_affine(images, plain_share=0.3):
    """Turn, scale, squeeze, slant and shift the images of a batch at random.

    Images are float32 (batch, 28, 28, 1), ``pixel - 128``. What comes into view from
    outside is paper. About `plain_share` of the images keep their shape.
    """
    import keras
    import tensorflow as tf

    one = np.float32([0, 1, 1, 0, 0, 0])
    low = np.float32([-ROTATION, ZOOM[0], ASPECT[0], -SHEAR, -SHIFT, -SHIFT])
    high = np.float32([ROTATION, ZOOM[1], ASPECT[1], SHEAR, SHIFT, SHIFT])
    drawn = tf.random.uniform((tf.shape(images)[0], 7))
    varied = low + (high - low) * drawn[:, :6]
    chosen = tf.where(drawn[:, 6:] < plain_share, one, varied)
    angle, zoom, aspect, shear, right, down = tf.unstack(chosen, axis=1)
    cos, sin = zoom * tf.cos(angle), zoom * tf.sin(angle)
    # From a new pixel back to the old picture: x' = a0 x + a1 y + a2, y' likewise;
    # rotation after slant after squeeze, each about the centre at 13.5.
    a0, a1 = aspect * cos, shear * cos - sin
    b0, b1 = aspect * sin, shear * sin + cos
    a2 = 13.5 - a0 * (13.5 + right) - a1 * (13.5 + down)
    b2 = 13.5 - b0 * (13.5 + right) - b1 * (13.5 + down)
    zero = tf.zeros_like(a0)
    maps = tf.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)
    return keras.ops.image.affine_transform(images, maps, fill_value=-128.0)


def speed_up(model):
    """Let a compiled model run 32 training steps before it returns to Python.

    That saves a fifth of the training time, and changes no weight. What Keras shows
    after every step, it then shows after every 32.
    """
    model.steps_per_execution = 32
