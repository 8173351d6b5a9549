"""The network for the board computes what was trained; the converter is set right."""

import keras
import numpy as np
import pytest

from conftest import tutorial
from helpers import integer_arithmetic, quantization, tflite, training
from helpers.files import TutorialError

layers = keras.layers


def _lived_in(model):
    """Give every weight, and every moving average, a value that matters."""
    random = np.random.default_rng(0)
    for layer in model.layers:
        weights = [w + random.normal(0, 0.05, w.shape) for w in layer.get_weights()]
        if isinstance(layer, layers.BatchNormalization):
            weights = [random.uniform(0.5, 1.5, w.shape) for w in weights]
        layer.set_weights(weights)
    return model


def _largest_difference(trained, deployed, images):
    expected = trained.predict(images, verbose=0)
    if deployed.layers[-1].name == "softmax":
        expected = keras.ops.convert_to_numpy(keras.ops.softmax(expected))
    found = deployed.predict(images, batch_size=1, verbose=0).reshape(expected.shape)
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.fixture(scope="module")
def images(sample):
    return sample["test_images"][:20] / np.float32(128)


@pytest.mark.parametrize("head", ["conv", "dense"])
@pytest.mark.parametrize("build", [tutorial, training.compact])
def test_deployed_graph_computes_what_was_trained(build, head, images):
    trained = _lived_in(build())
    deployed = quantization.deployed_graph(trained, head)
    assert deployed.input_shape == (1, 28, 28, 1)
    assert deployed.output_shape == ((1, 1, 1, 10) if head == "conv" else (1, 10))
    assert _largest_difference(trained, deployed, images) < 1e-4
    kinds = {type(layer).__name__ for layer in deployed.layers}
    assert not kinds & {"BatchNormalization", *(["Dense"] if head == "conv" else [])}
    # The comparison above would notice one that is changed.
    deployed.set_weights([weights + 0.1 for weights in deployed.get_weights()])
    assert _largest_difference(trained, deployed, images) > 1e-3


@pytest.mark.parametrize(
    ("before", "problem"),
    [
        ([], "follows a Input"),
        ([layers.Conv2D(2, 3, activation="relu")], "follows a Conv2D"),
        ([layers.Conv2D(2, 3), layers.MaxPool2D()], "follows a MaxPooling2D"),
    ],
)
def test_deployed_graph_normalization_that_cannot_be_folded_is_named(before, problem):
    late = layers.BatchNormalization(name="late")
    model = keras.Sequential([keras.Input((28, 28, 1)), *before, late])
    with pytest.raises(TutorialError, match=f"'late' {problem}, but normalization"):
        quantization.deployed_graph(model)


@pytest.mark.parametrize("head", ["conv", "dense"])
@pytest.mark.parametrize("network", ["tutorial", "compact"])
def test_compare_layers_errors_are_small_unless_scaled_wrongly(
    models, trained, sample, network, head
):
    deployed = quantization.deployed_graph(trained(network), head)
    given = deployed, models(network, head), sample["test_images"][:20]
    pairs = quantization.compare_layers(*given, 128.0)
    assert len(pairs) == len(integer_arithmetic.layers(tflite.read(given[1])))
    assert all(real.shape == restored.shape for real, restored in pairs)
    errors = [np.std(restored - real) / np.std(real) for real, restored in pairs]
    assert max(errors) < 0.2
    real, restored = quantization.compare_layers(*given, 64.0)[0]
    assert np.std(restored - real) / np.std(real) > 0.3
