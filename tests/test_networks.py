"""The networks are what the tutorial says, and the hand formulas agree with Keras."""

import keras
import numpy as np
import pytest

from helpers.errors import TutorialError
from helpers.learn import networks


def test_tutorial_equals_the_network_written_out():
    layers = keras.layers
    written = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(8, (3, 3), padding="valid", activation="relu"),
            layers.MaxPool2D((2, 2), strides=2),
            layers.Conv2D(16, (3, 3), padding="valid", activation="relu"),
            layers.MaxPool2D((2, 2), strides=2),
            layers.Conv2D(32, (5, 5), padding="valid", activation=None),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    built = networks.build("tutorial")
    assert built.count_params() == 16_842
    assert [w.shape for w in built.weights] == [w.shape for w in written.weights]
    written.set_weights(built.get_weights())
    images = np.random.default_rng(0).uniform(-1, 1, (8, 28, 28, 1)).astype("float32")
    expected = written.predict_on_batch(images)
    assert np.array_equal(built.predict_on_batch(images), expected)


def test_layer_table_tutorial_has_the_known_totals():
    rows = networks.layer_table(networks.tutorial())
    assert sum(row.parameters for row in rows) == 16_842
    assert sum(row.macs for row in rows) == 203_552


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_layer_table_agrees_with_keras(name):
    model = networks.build(name)
    rows = networks.layer_table(model)
    assert [row.name for row in rows] == [layer.name for layer in model.layers]
    for row, layer in zip(rows, model.layers, strict=True):
        assert row.output_shape == tuple(layer.output.shape[1:]), row
        assert row.parameters == layer.count_params(), row


def test_layer_table_strides_padding_and_depthwise_agree_with_keras():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(4, (3, 5), strides=2, padding="same", use_bias=False),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.AveragePooling2D((2, 3), strides=3),
            layers.MaxPooling2D(2, padding="same"),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(5, use_bias=False),
        ]
    )
    for row, layer in zip(networks.layer_table(model), model.layers, strict=True):
        assert row.output_shape == tuple(layer.output.shape[1:]), row
        assert row.parameters == layer.count_params(), row


def test_layer_table_unknown_layer_is_named():
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Conv2DTranspose(2, 3, name="odd")]
    )
    with pytest.raises(TutorialError, match=r"'odd' is a Conv2DTranspose"):
        networks.layer_table(model)


def test_build_unknown_name_lists_the_known_ones():
    with pytest.raises(TutorialError, match="'huge', expected one of: tutorial, comp"):
        networks.build("huge")


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "expected"),
    [(28, 3, 1, 0, 26), (26, 2, 2, 0, 13), (28, 5, 2, 2, 14), (11, 2, 2, 0, 5)],
)
def test_output_size_formula(size, kernel, stride, padding, expected):
    assert networks.output_size(size, kernel, stride, padding) == expected
