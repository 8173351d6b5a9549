"""Training images varied at random, the compact network, and what layers cost.

MNIST's digits are centred, upright, of one size and white on black; digits in front of
a camera are not. So training images are turned, scaled, squeezed, slanted and shifted.
The network's cost on the board stays as it is.
"""

from collections import namedtuple

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


def compact():
    """Return an untrained Sequential, smaller and more accurate than the tutorial's.

    Two convolutions of 3×3 in a row see as far as one of 5×5 with fewer weights, and
    all but one of the dense layers are gone. It computes and trains for longer. The
    normalizations cost nothing on the board: they are folded into the convolutions.
    """
    import keras
    from keras import layers

    model = keras.Sequential(name="compact")
    model.add(keras.Input(shape=(28, 28, 1)))
    for number, filters in enumerate((8, 8, 20, 20, 32), start=1):
        # The normalization that follows has a bias of its own.
        model.add(layers.Conv2D(filters, 3, use_bias=False, name=f"conv{number}"))
        model.add(layers.BatchNormalization(name=f"norm{number}"))
        model.add(layers.ReLU(name=f"relu{number}"))
        if number in (2, 4):
            model.add(layers.MaxPool2D(2, name=f"pool{number}"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(10, name="scores"))
    return model


LayerCost = namedtuple("LayerCost", "name kind output_shape parameters macs")
"""A layer's output shape (without batch), parameters and multiply-accumulates."""


def layer_costs(model):
    """Return the cost of each layer of a chain, as a list of `LayerCost`.

    A normalization's multiplications are not counted: they are folded into the
    convolution before it when the network is deployed.
    """
    costs = []
    for layer in model.layers:
        shape, kind, macs = tuple(layer.output.shape[1:]), type(layer).__name__, 0
        if kind in ("Conv2D", "Dense"):
            weights = layer.get_weights()[0].size
            macs = weights * (shape[0] * shape[1] if kind == "Conv2D" else 1)
        costs.append(LayerCost(layer.name, kind, shape, layer.count_params(), macs))
    return costs
