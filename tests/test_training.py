"""Augmentation against SciPy, and costs against loops."""

import nbformat
import numpy as np
import pytest
from scipy import ndimage

import helpers
from conftest import tutorial
from helpers import quiet, runs, training

with quiet():
    import tensorflow as tf


@pytest.fixture
def digits(sample):
    return sample["train_images"][:40].astype(np.float32)


def test_random_affine_agrees_with_scipy(digits):
    seed = (5, 6)
    drawn = tf.random.stateless_uniform((len(digits), 7), seed).numpy()
    expected = np.stack([_affine(*pair) for pair in zip(digits, drawn, strict=True)])
    found = training.random_affine(digits, seed, 0.15).numpy()
    np.testing.assert_allclose(found, expected, atol=0.05)
    moved = (found != digits).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(moved, drawn[:, 6] >= 0.15)


def _affine(image, drawn):
    # The same change from matrices; SciPy's axes are (row, column).
    if drawn[6] < 0.15:
        return image
    t, either_way = training, np.array([-1, 1])
    ranges = [t.ROTATION * either_way, t.ZOOM, t.ASPECT, t.SHEAR * either_way]
    ranges += [t.SHIFT * either_way] * 2
    low, high = np.transpose(ranges)
    angle, zoom, aspect, shear, *shift = low + (high - low) * drawn[:6]
    rotation = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix = zoom * np.array(rotation) @ [[1, shear], [0, 1]] @ np.diag([aspect, 1])
    middle = np.full(2, 13.5)
    offset = middle - matrix @ (middle + np.array(shift))
    rows_first = {"matrix": matrix[::-1, ::-1], "offset": offset[::-1]}
    options = {"order": 1, "mode": "grid-constant", "cval": -128}
    return ndimage.affine_transform(image[..., 0], **rows_first, **options)[..., None]


def test_training_batches_of_notebook_4_shuffle_and_vary(sample):
    images, labels = sample["train_images"][:130], sample["train_labels"][:130]
    plain, next_epoch = _epochs(images, labels, augment=False)
    distances = [np.abs(images / 128 - x).sum(axis=(1, 2, 3)) for x in plain[0]]
    order = np.argmin(distances, axis=1)
    assert sorted(order) == list(range(130)) != list(order)
    np.testing.assert_array_equal(plain[0] * 128, images[order])
    np.testing.assert_array_equal(plain[1], labels[order])
    assert (plain[1] != next_epoch[1]).any(), "a new order for each epoch"

    varied, next_varied = _epochs(images, labels, augment=True)
    np.testing.assert_array_equal(varied[1], plain[1])
    np.testing.assert_array_equal(next_varied[1], next_epoch[1])
    assert 0.6 < (varied[0] != plain[0]).any(axis=(1, 2, 3)).mean() < 1
    again = _epochs(images, labels, augment=True)[1]
    np.testing.assert_array_equal(next_varied[0], again[0])
    last, _ = _epochs(images, labels, epoch=2, augment=True)
    assert 0.1 < (last[0] != plain[0]).any(axis=(1, 2, 3)).mean() < 0.5, "mostly plain"
    one, two = _epochs(images[:1].repeat(130, axis=0), labels, augment=True)
    assert (one[0] != two[0]).any(axis=(1, 2, 3)).mean() > 0.6, "new variants, too"


def _epochs(images, labels, epoch=0, **settings):
    # The images and labels of two epochs of the function that notebook 4 shows.
    notebook = nbformat.read(runs.NOTEBOOKS / "04_train_model.ipynb", as_version=4)
    names = {"tf": tf, "np": np, "helpers": helpers}
    names |= {"epochs": 3, "seed": 1, "batch_size": 64, "pixel_scale": 128} | settings
    parts = "def random_contrast", "plain_share =", "def training_batches"
    for cell in notebook.cells:
        if cell.source.startswith(parts):
            exec(cell.source, names)
    names["choose_plain_share"](epoch, {})
    batches = names["training_batches"](images, labels)
    return [[np.concatenate(part) for part in zip(*batches, strict=True)] for _ in "ab"]


def test_layer_costs_are_those_worked_out_by_hand():
    costs = training.layer_costs(tutorial())
    macs = [26 * 26 * 9 * 8, 0, 11 * 11 * 9 * 8 * 16, 0, 25 * 16 * 32, 0, 32 * 64, 640]
    assert [cost.macs for cost in costs] == macs
    assert sum(cost.parameters for cost in costs) == 16_842
    assert (costs[1].kind, costs[1].output_shape) == ("MaxPooling2D", (13, 13, 8))
