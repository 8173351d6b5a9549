"""The two networks, and what their layers cost, computed by hand.

Both take float32 images of shape (28, 28, 1) and give ten logits. ``tutorial`` is the
network of the original tutorial, unchanged; ``compact`` asks for fewer bytes on the
board and makes fewer mistakes, at the price of more arithmetic and longer training.
"""

from typing import NamedTuple

from helpers.errors import TutorialError


def tutorial():
    """Build the tutorial's network: three convolutions, two dense layers.

    Returns
    -------
    keras.Sequential
        16,842 parameters, untrained. The last convolution has no activation.
    """
    import keras
    from keras import layers

    model = keras.Sequential(name="tutorial")
    model.add(keras.Input(shape=(28, 28, 1)))
    model.add(layers.Conv2D(filters=8, kernel_size=3, activation="relu"))
    model.add(layers.MaxPool2D(pool_size=2))
    model.add(layers.Conv2D(filters=16, kernel_size=3, activation="relu"))
    model.add(layers.MaxPool2D(pool_size=2))
    model.add(layers.Conv2D(filters=32, kernel_size=5))
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(10))
    return model


def compact():
    """Build a network of under 16 KiB: small convolutions and hardly a dense layer.

    Returns
    -------
    keras.Sequential
        Untrained. Batch normalisation is folded into the convolutions when the network
        is deployed, so it costs nothing on the board.

    Notes
    -----
    Where the bytes go: every output channel takes about 28 bytes besides its weights
    (scales, zero points, a bias), and every tensor takes its name. So there are few
    layers, few channels and short names. The tutorial spends 12,800 of its weights on
    one 5×5 convolution; here two 3×3 convolutions in a row see as far with fewer, and
    all but one of the dense layers are gone.
    """
    import keras
    from keras import layers

    model = keras.Sequential(name="compact")
    model.add(keras.Input(shape=(28, 28, 1)))
    for number, filters in enumerate((8, 8, 16, 16, 24), start=1):
        # The normalisation that follows has a bias of its own.
        convolution = layers.Conv2D(
            filters, kernel_size=3, use_bias=False, name=f"conv{number}"
        )
        model.add(convolution)
        model.add(layers.BatchNormalization(name=f"norm{number}"))
        model.add(layers.ReLU(name=f"relu{number}"))
        if number in (2, 4):
            model.add(layers.MaxPool2D(pool_size=2, name=f"pool{number}"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(10, name="scores"))
    return model


NETWORKS = {"tutorial": tutorial, "compact": compact}
"""What the parameter `network` accepts, and what it builds."""


def build(name):
    """Build the network of that name.

    Parameters
    ----------
    name : str
        ``tutorial`` or ``compact``.

    Returns
    -------
    keras.Sequential
        Untrained; its initial weights follow ``keras.utils.set_random_seed``.

    Raises
    ------
    TutorialError
        If there is no such network.
    """
    if name not in NETWORKS:
        raise TutorialError(
            f"network is {name!r}, expected one of: {', '.join(NETWORKS)}."
        )
    return NETWORKS[name]()


class LayerCost(NamedTuple):
    """One row of :func:`layer_table`."""

    name: str
    kind: str
    output_shape: tuple
    parameters: int
    macs: int


def output_size(size, kernel, stride=1, padding=0):
    """Compute the side of a feature map: O = (I − F + 2P) / S + 1, rounded down.

    Parameters
    ----------
    size, kernel, stride : int
        Input size I, filter size F and stride S, in pixels.
    padding : int or float
        P, pixels added on each side; a half stands for one pixel on one side only.

    Returns
    -------
    int
        Output size O.
    """
    return int((size - kernel + 2 * padding) // stride + 1)


def layer_table(model):
    """Count parameters and multiply-accumulates of every layer from its settings.

    Nothing is read from the built layers but what their author wrote: filters, kernel
    size, stride, padding, units. Keras' own shapes and counts are left for comparison.

    Parameters
    ----------
    model : keras.Model
        A chain of layers, such as :func:`tutorial` or :func:`compact` builds.

    Returns
    -------
    list of LayerCost
        One row for each layer; `output_shape` is without the batch dimension. A batch
        normalisation's multiplications are not counted: they are folded into the
        convolution before it.

    Raises
    ------
    TutorialError
        If a layer is of a kind that this table has no formula for.
    """
    shape = tuple(model.input_shape[1:])
    rows = []
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "InputLayer":
            continue
        if kind not in _FORMULAS:
            raise TutorialError(
                f"layer {layer.name!r} is a {kind}, expected one of: "
                f"{', '.join(_FORMULAS)}."
            )
        shape, parameters, macs = _FORMULAS[kind](layer.get_config(), shape)
        rows.append(LayerCost(layer.name, kind, shape, parameters, macs))
    return rows


def _slide(config, shape, window):
    # Height and width after a window slides over the picture.
    sizes = []
    for size, kernel, stride in zip(shape[:2], window, config["strides"], strict=True):
        if config["padding"] == "same":  # enough padding for O = I / S, rounded up
            sizes.append(-(-size // stride))
        else:
            sizes.append(output_size(size, kernel, stride))
    return tuple(sizes)


def _convolution(config, shape):
    height, width = config["kernel_size"]
    weights = height * width * shape[2] * config["filters"]
    bias = config["filters"] * config["use_bias"]
    out = (*_slide(config, shape, config["kernel_size"]), config["filters"])
    return out, weights + bias, out[0] * out[1] * weights


def _depthwise(config, shape):
    height, width = config["kernel_size"]
    channels = shape[2] * config["depth_multiplier"]
    weights = height * width * channels
    out = (*_slide(config, shape, config["kernel_size"]), channels)
    return out, weights + channels * config["use_bias"], out[0] * out[1] * weights


def _pooling(config, shape):
    return (*_slide(config, shape, config["pool_size"]), shape[2]), 0, 0


def _dense(config, shape):
    weights = shape[0] * config["units"]
    bias = config["units"] * config["use_bias"]
    return (config["units"],), weights + bias, weights


_FORMULAS = {
    "Conv2D": _convolution,
    "DepthwiseConv2D": _depthwise,
    "MaxPooling2D": _pooling,
    "AveragePooling2D": _pooling,
    "GlobalAveragePooling2D": lambda config, shape: (shape[2:], 0, 0),
    "Flatten": lambda config, shape: ((shape[0] * shape[1] * shape[2],), 0, 0),
    "Dense": _dense,
    "BatchNormalization": lambda config, shape: (shape, 4 * shape[-1], 0),
    "ReLU": lambda config, shape: (shape, 0, 0),
    "Dropout": lambda config, shape: (shape, 0, 0),
}
