"""The compact network, what each layer costs, and the operators that a board needs.

The network of the tutorial itself is built in notebook 3, layer by layer.
"""

import math
from dataclasses import dataclass

# By network and head, as in notebooks 3 and 5: the operators of the deployed network
# in the order of their first use, by their names in schema.fbs of TensorFlow. A program
# on a board contains these and no others.
OPERATORS = {
    ("tutorial", "conv"): ["CONV_2D", "MAX_POOL_2D", "SOFTMAX"],
    ("tutorial", "dense"): ["CONV_2D", "MAX_POOL_2D", "FULLY_CONNECTED"],
    ("compact", "conv"): ["CONV_2D", "MAX_POOL_2D", "SOFTMAX"],
    # Its last convolution leaves 2 × 2 pixels, which are put into a row first.
    ("compact", "dense"): ["CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED"],
}


@dataclass(frozen=True)
class Convolution:
    """One convolution of the compact network."""

    filters: int
    window: int  # rows and columns of a filter
    pooled: bool = False  # whether max pooling of 2 × 2 follows


_COMPACT = [
    Convolution(8, 5, pooled=True),
    Convolution(16, 3),
    Convolution(20, 3, pooled=True),
    Convolution(40, 3),
]


def compact():
    """Return an untrained Sequential, smaller and more accurate than the tutorial's.

    It has more convolutions and no hidden dense layer. Pooling right after the first
    convolution saves memory and work: a program that takes an image row by row keeps
    1,496 bytes. It trains for longer. The normalizations cost nothing on the board,
    because they are folded into the convolutions.
    """
    import keras
    from keras import layers

    model = keras.Sequential(name="compact")
    model.add(keras.Input(shape=(28, 28, 1)))
    for number, convolution in enumerate(_COMPACT, start=1):
        model.add(
            layers.Conv2D(
                convolution.filters,
                convolution.window,
                use_bias=False,  # the normalization that follows has one
                name=f"conv{number}",
            )
        )
        model.add(layers.BatchNormalization(name=f"norm{number}"))
        model.add(layers.ReLU(name=f"relu{number}"))
        if convolution.pooled:
            model.add(layers.MaxPool2D(2, name=f"pool{number}"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(10, name="scores"))
    return model


@dataclass(frozen=True)
class LayerCost:
    """What one layer of a network costs on a board."""

    name: str
    kind: str  # the name of its class in Keras, such as Conv2D
    output_shape: tuple  # without the batch
    parameters: int
    macs: int  # multiply-accumulates for one image


def layer_costs(model):
    """Return the `LayerCost` of each layer of a Sequential, as a list.

    A normalization's multiplications are not counted: they are folded into the
    convolution before it when the network is deployed.
    """
    costs = []
    for layer in model.layers:
        kind = type(layer).__name__
        shape = tuple(layer.output.shape[1:])
        macs = 0
        if kind == "Conv2D":
            height, width, _ = shape
            macs = height * width * math.prod(layer.kernel.shape)
        elif kind == "Dense":
            macs = math.prod(layer.kernel.shape)
        parameters = layer.count_params()
        costs.append(LayerCost(layer.name, kind, shape, parameters, macs))
    return costs
