"""Real, small models for the tests, trained once in a session on the bundled sample."""

import functools
import importlib.util
import shutil
import signal
import sys

import numpy as np
import pytest

# A job in the background ignores Ctrl-C, and so would every program that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item):
    if item.get_closest_marker("tflm") and not importlib.util.find_spec("tflite_micro"):
        pytest.skip("needs tflite-micro: pip install tflite-micro (Linux x86-64 only)")


def need(tool, package, linux_only=False):
    """Skip a test where a program is missing."""
    if not shutil.which(tool) or (linux_only and sys.platform != "linux"):
        pytest.skip(f"needs {tool} on Linux: apt-get install {package}")


@pytest.fixture(scope="session")
def sample():
    """Return the sample's 4,000 and 1,000 images, as in 02_preprocessed.npz."""
    from helpers import datasets

    train, test = datasets.load_file("mnist_5k")
    images = [(part[0] ^ 0x80).view(np.int8)[..., None] for part in (train, test)]
    return {
        "train_images": images[0],
        "train_labels": train[1],
        "test_images": images[1],
        "test_labels": test[1],
        "pixel_scale": np.array(128.0),
        "name": np.array(datasets.SAMPLE),
        "notice": np.array(""),
    }


@pytest.fixture(scope="session")
def trained(sample):
    """Return a function from network and seed to a model, trained for some seconds."""
    from helpers import training
    from helpers.files import quiet

    with quiet():
        import keras

    @functools.cache
    def train(network, seed):
        keras.utils.set_random_seed(seed)
        model = tutorial() if network == "tutorial" else training.compact()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.003), loss)
        # Of the compact network the tests want real weights, not good ones: it is slow.
        part = slice(None) if network == "tutorial" else slice(1000)
        images, labels = sample["train_images"][part], sample["train_labels"][part]
        model.fit(images / np.float32(128), labels, batch_size=32, verbose=0)
        return model

    return lambda network="tutorial", seed=0: train(network, seed)


@pytest.fixture(scope="session")
def converter():
    """Return a function from a model and images to a converter as in notebook 5."""
    import tensorflow as tf

    def made(deployed, images):
        converter = tf.lite.TFLiteConverter.from_keras_model(deployed)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None]] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        option = "_experimental_disable_per_channel_quantization_for_dense_layers"
        setattr(converter, option, True)
        return converter

    return made


@pytest.fixture(scope="session")
def models(sample, trained, converter):
    """Return a function from network, head and seed to the bytes of a .tflite."""
    from helpers import quantization

    @functools.cache
    def made(network, head, seed):
        deployed = quantization.deployed_graph(trained(network, seed), head)
        images = sample["train_images"][:100] / np.float32(128)
        return converter(deployed, images).convert()

    return lambda network="tutorial", head="conv", seed=0: made(network, head, seed)


@pytest.fixture(scope="session")
def candidate(sample, trained, models):
    """Return what the gate is given: run, data, trained, model, runtime, scores."""
    from helpers import runs, tflite

    made = {"network": "tutorial", "head": "conv", "pixel_scale": 128.0}
    run = runs.Run("mnist_cnn", "", {**made, "max_accuracy_drop": 0.5})
    images, labels = sample["test_images"], sample["test_labels"]
    answers = trained().predict(images / np.float32(128), verbose=0).argmax(axis=1)
    figures = {"correct": int((answers == labels).sum()), "images": len(labels)}
    results = {"predictions": answers.tolist(), "test": figures}
    runtime = tflite.tflm_or_stand_in(models())
    return run, sample, results, models(), runtime, runtime.run(images)


def tutorial():
    """Build the network of notebook 3, with names that it gets in a new process."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((28, 28, 1)),
            layers.Conv2D(8, 3, activation="relu", name="conv2d"),
            layers.MaxPool2D(name="max_pooling2d"),
            layers.Conv2D(16, 3, activation="relu", name="conv2d_1"),
            layers.MaxPool2D(name="max_pooling2d_1"),
            layers.Conv2D(32, 5, name="conv2d_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="dense"),
            layers.Dense(10, name="dense_1"),
        ],
        name="tutorial",
    )
