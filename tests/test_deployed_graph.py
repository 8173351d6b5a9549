"""The deployed graph computes what was trained, with the operators that boards have."""

import keras
import numpy as np
import pytest

from helpers.errors import TutorialError
from helpers.learn import deployed_graph as dg
from helpers.learn import networks
from helpers.learn.conversion import convert


@pytest.fixture(scope="module")
def images_i8():
    generator = np.random.default_rng(1)
    coarse = generator.integers(-128, 128, (40, 7, 7, 1))
    return np.kron(coarse, np.ones((1, 4, 4, 1))).astype(np.int8)


def _with_lived_in_weights(model, seed=0):
    """Give every weight, and every moving average, a value that matters."""
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        weights = layer.get_weights()
        if type(layer).__name__ == "BatchNormalization":
            weights = [generator.uniform(0.5, 1.5, w.shape) for w in weights]
        else:
            weights = [w + generator.normal(0, 0.05, w.shape) for w in weights]
        layer.set_weights(weights)
    return model


def _network_of_all_kinds():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 3, strides=2, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False),
            layers.BatchNormalization(epsilon=0.01),
            layers.ReLU(),
            layers.AveragePooling2D(2),
            layers.Dropout(0.1),
            layers.Flatten(),
            layers.Dense(12, activation="relu"),
            layers.Dense(10, use_bias=False),
        ],
        name="all_kinds",
    )


BUILDERS = {**networks.NETWORKS, "all_kinds": _network_of_all_kinds}


@pytest.mark.parametrize("head", dg.HEADS)
@pytest.mark.parametrize("name", BUILDERS)
def test_deployed_graph_agrees_with_the_trained_network(name, head, images_i8):
    trained = _with_lived_in_weights(BUILDERS[name]())
    deployed = dg.deployed_graph(trained, head)
    images = images_i8.astype(np.float32) / 128
    assert deployed.input_shape == (1, 28, 28, 1)
    assert deployed.output_shape == ((1, 1, 1, 10) if head == "conv" else (1, 10))
    logits = np.abs(trained.predict_on_batch(images)).max()
    assert dg.agreement(trained, deployed, images) < 1e-5 * max(1, logits)


@pytest.mark.parametrize("head", dg.HEADS)
def test_agreement_notices_one_changed_weight(head, images_i8):
    trained = networks.tutorial()
    deployed = dg.deployed_graph(trained, head)
    kernel, bias = deployed.layers[1].get_weights()
    deployed.layers[1].set_weights([kernel, bias + 0.1])
    assert dg.agreement(trained, deployed, images_i8 / np.float32(128)) > 1e-4


def test_agreement_notices_a_flattening_in_the_wrong_order(images_i8):
    trained = _network_of_all_kinds()
    deployed = dg.deployed_graph(trained, "conv")
    wide = next(la for la in deployed.layers if getattr(la, "filters", 0) == 12)
    kernel, bias = wide.get_weights()
    wide.set_weights([kernel.transpose(1, 0, 2, 3), bias])
    assert dg.agreement(trained, deployed, images_i8 / np.float32(128)) > 1e-4


def test_deployed_graph_shares_no_variables():
    trained = networks.tutorial()
    before = trained.get_weights()
    deployed = dg.deployed_graph(trained)
    deployed.set_weights([w + 1 for w in deployed.get_weights()])
    after = trained.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def _operators(flatbuffer):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=flatbuffer)
    return [row["op_name"] for row in interpreter._get_ops_details()]


EXPECTED = {
    ("tutorial", "conv"): {"CONV_2D", "MAX_POOL_2D", "SOFTMAX"},
    ("tutorial", "dense"): {"CONV_2D", "MAX_POOL_2D", "FULLY_CONNECTED"},
    ("compact", "conv"): {"CONV_2D", "MAX_POOL_2D", "SOFTMAX"},
    ("compact", "dense"): {"CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED"},
}
MOST_BYTES = {
    ("tutorial", "conv"): 25_300,
    ("tutorial", "dense"): 22_900,
    ("compact", "conv"): 16_384,
    ("compact", "dense"): 16_384,
}


@pytest.mark.parametrize(("name", "head"), MOST_BYTES)
def test_convert_gives_exactly_the_expected_operators(name, head, images_i8):
    trained = _with_lived_in_weights(networks.build(name))
    flatbuffer = convert(dg.deployed_graph(trained, head), images_i8)
    assert set(_operators(flatbuffer)) == EXPECTED[name, head]
    assert len(flatbuffer) <= MOST_BYTES[name, head]


def test_convert_input_is_the_bytes_that_the_board_has(images_i8):
    from ai_edge_litert.interpreter import Interpreter

    images_i8 = images_i8.copy()
    images_i8[0, :2] = [[[-128]], [[127]]]
    for pixel_scale in (128.0, 1.0):
        deployed = dg.deployed_graph(networks.tutorial())
        flatbuffer = convert(deployed, images_i8, pixel_scale)
        given = Interpreter(model_content=flatbuffer).get_input_details()[0]
        assert given["dtype"] is np.int8
        assert given["quantization"][0] == pytest.approx(1 / pixel_scale, rel=1e-6)
        assert given["quantization"][1] == 0


def test_deployed_graph_unknown_head_lists_the_known_ones():
    with pytest.raises(TutorialError, match="head is 'both', expected one of: conv, d"):
        dg.deployed_graph(networks.tutorial(), "both")


def test_deployed_graph_unknown_layer_is_named():
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Conv2DTranspose(2, 3, name="odd")]
    )
    with pytest.raises(TutorialError, match="'odd' is a Conv2DTranspose"):
        dg.deployed_graph(model)


def test_deployed_graph_branching_network_is_refused():
    inputs = keras.Input((28, 28, 1))
    outputs = keras.layers.Add()([inputs, keras.layers.Conv2D(1, 1)(inputs)])
    with pytest.raises(TutorialError, match=r"expected a keras\.Sequential"):
        dg.deployed_graph(keras.Model(inputs, outputs, name="branches"))


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_deployed_graph_normalisation_out_of_place_is_refused(activation):
    before = keras.layers.Conv2D(2, 3, activation=activation, name="before")
    chain = [keras.Input((28, 28, 1)), before]
    if activation == "linear":
        chain.append(keras.layers.MaxPool2D(2, name="between"))
    chain.append(keras.layers.BatchNormalization(name="late"))
    culprit = "before" if activation == "relu" else "between"
    with pytest.raises(TutorialError, match=f"'late' normalises .* '{culprit}'"):
        dg.deployed_graph(keras.Sequential(chain))


def test_deployed_graph_normalisation_of_the_image_is_refused():
    chain = [keras.Input((28, 28, 1)), keras.layers.BatchNormalization(name="first")]
    with pytest.raises(TutorialError, match=r"'first' normalises .* 'image'"):
        dg.deployed_graph(keras.Sequential(chain))
