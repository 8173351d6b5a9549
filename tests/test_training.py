"""Training images are varied as notebook 4 and `helpers.training` say."""

import nbformat
import numpy as np
import pytest
from scipy import ndimage

from helpers import runs, training
from helpers.files import quiet

with quiet():
    import tensorflow as tf


@pytest.fixture
def digits(sample):
    return sample["train_images"][:40].astype(np.float32)


def test_random_affine_agrees_with_scipy(digits):
    tf.random.set_seed(5)
    drawn = tf.random.uniform((len(digits), 7)).numpy()
    expected = np.stack([_affine(*pair) for pair in zip(digits, drawn, strict=True)])
    tf.random.set_seed(5)
    found = training.random_affine(digits).numpy()
    np.testing.assert_allclose(found, expected, atol=0.05)
    moved = (found != digits).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(moved, drawn[:, 6] >= 0.3)


def _affine(image, drawn):
    # The same change from matrices; SciPy's axes are (row, column).
    if drawn[6] < 0.3:
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


def test_image_is_varied_in_another_way_in_each_epoch(sample):
    images, numbers = sample["train_images"][:130], np.arange(130)
    epochs = _epochs(images, numbers, augment=True)
    one, two = (varied[np.argsort(labels)] for varied, labels in epochs)
    assert (one != two).any(axis=(1, 2, 3)).mean() > 0.8


def _epochs(images, labels, **settings):
    # The images and labels of two epochs of the batches that notebook 4 makes.
    notebook = nbformat.read(runs.NOTEBOOKS / "04_train_model.ipynb", as_version=4)
    names = {
        "tf": tf,
        "training": training,
        "train_images": images,
        "train_labels": labels,
        "seed": 1,
        "batch_size": 64,
        "pixel_scale": 128,
        **settings,
    }
    tf.keras.utils.set_random_seed(1)
    for cell in notebook.cells:
        if cell.source.startswith(("def random_contrast", "def vary")):
            exec(cell.source, names)
    epochs = [list(names["batches"]) for _ in range(2)]
    return [
        [np.concatenate(part) for part in zip(*epoch, strict=True)] for epoch in epochs
    ]
