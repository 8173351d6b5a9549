"""The network for the board computes what was trained; the converter is set right."""

import keras
import numpy as np
import pytest

from conftest import notebook_cells, representative_dataset, tutorial
from helpers import integer_arithmetic, networks, quantization, tflite
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
@pytest.mark.parametrize("build", [tutorial, networks.compact])
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


def _read_by_calibration(train_images, images, sources=None):
    # The int8 images that the converter sees, as notebook 5 gives them to it.
    generator = representative_dataset(train_images, images, sources)
    batches = [np.asarray(image) for [image] in generator()]
    return np.concatenate(batches) * 128


def test_representative_dataset_is_the_first_training_images(sample):
    found = _read_by_calibration(sample["train_images"], images=30)
    expected = sample["train_images"][:30].astype(np.float32)
    expected[0, 0, :2, 0] = -128, 127  # the whole range, whatever the images show
    np.testing.assert_array_equal(found, expected)


def test_representative_dataset_comes_one_image_at_a_time_as_float32(sample):
    batches = list(representative_dataset(sample["train_images"], images=3)())
    assert len(batches) == 3
    [image] = batches[0]
    assert image.shape == (1, 28, 28, 1)
    assert image.dtype == np.float32


def test_notebook_5_that_calibrates_on_test_images_is_refused(sample):
    sources = notebook_cells(5, "representative-dataset")
    wrong = [source.replace("train_images", "test_images") for source in sources]
    assert wrong != sources
    with pytest.raises(KeyError, match="test_images"):
        _read_by_calibration(sample["train_images"], images=30, sources=wrong)
