"""Training images are varied as notebook 4 and `helpers.training` say."""

import numpy as np
import pytest
from scipy import ndimage

from conftest import notebook_cells, run_cells
from helpers import training
from helpers.files import quiet

with quiet():
    import tensorflow as tf

# What is drawn for each image, in order: the lowest and the highest value.
DRAWN = [
    (-0.3, 0.3),  # rotation in radians
    (0.85, 1.15),  # zoom
    (0.95, 1.4),  # aspect
    (-0.15, 0.15),  # shear
    (-3.3, 3.3),  # shift to the right in pixels
    (-3.3, 3.3),  # shift down
]
PLAIN_SHARE = 0.3  # of the images keep their shape


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
    np.testing.assert_array_equal(moved, drawn[:, 6] >= PLAIN_SHARE)


def _affine(image, drawn):
    """Vary one image by matrices; SciPy's axes are (row, column)."""
    if drawn[6] < PLAIN_SHARE:
        return image
    low, high = np.transpose(DRAWN)
    angle, zoom, aspect, shear, right, down = low + (high - low) * drawn[:6]
    rotation = np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    matrix = zoom * rotation @ [[1, shear], [0, 1]] @ np.diag([aspect, 1])
    middle = np.full(2, 13.5)
    new_place = np.array([13.5 + right, 13.5 + down])
    offset = middle - matrix @ new_place
    moved = ndimage.affine_transform(
        image[..., 0],
        matrix=matrix[::-1, ::-1],
        offset=offset[::-1],
        order=1,
        mode="grid-constant",
        cval=-128,
    )
    return moved[..., None]


def test_random_affine_moves_a_digit_by_up_to_3_pixels():
    points = np.full((2000, 28, 28, 1), -128, np.float32)
    points[:, 13:15, 13:15] = 127
    tf.random.set_seed(1)
    moved = training.random_affine(points, plain_share=0).numpy()[..., 0] + 128
    places = np.array([ndimage.center_of_mass(image) for image in moved]) - 13.5
    largest = np.abs(places).max(axis=0)
    assert (largest > 3.2).all() and (largest < 4.8).all()  # at the least zoom 3.3/0.85
    assert 1.7 < places.std() < 2.3  # 3.3 / sqrt(3) is 1.9


@pytest.fixture(scope="module")
def contrast():
    """Return what notebook 4 makes of paper and of ink, 4,000 images of each."""
    names = run_cells(notebook_cells(4, "pipeline")[:1], tf=tf)
    images = np.full((4000, 28, 28, 1), -128, np.float32)
    images[:, 14:] = 127
    tf.random.set_seed(2)
    found = names["random_contrast"](tf.constant(images)).numpy() + 128
    return found[:, 0, 0, 0], found[:, -1, 0, 0]


def test_random_contrast_changes_15_percent_of_the_images(contrast):
    paper, ink = contrast
    changed = (paper > 0.01) | (ink < 254.99)
    assert 0.13 < changed.mean() < 0.17


def test_random_contrast_lightens_paper_and_darkens_ink_by_up_to_64(contrast):
    paper, ink = contrast
    assert 62 < paper.max() <= 64
    assert 255 - 64 <= ink.min() < 255 - 62


def _epochs(images, labels, augment):
    """Return images and labels of two epochs of notebook 4's batches."""
    tf.keras.utils.set_random_seed(1)
    names = run_cells(
        notebook_cells(4, "pipeline"),
        tf=tf,
        training=training,
        train_images=images,
        train_labels=labels,
        augment=augment,
        seed=1,
        batch_size=64,
        pixel_scale=128,
    )
    epochs = []
    for _ in range(2):
        batches = list(names["batches"])
        varied = np.concatenate([batch_images for batch_images, _ in batches])
        epochs.append((varied, np.concatenate([numbers for _, numbers in batches])))
    return epochs


@pytest.fixture(scope="module")
def numbered(sample):
    """Return 130 training images and, as their labels, their numbers."""
    return sample["train_images"][:130], np.arange(130)


def test_batches_show_each_image_once_in_an_epoch_as_it_is(numbered):
    images, _ = numbered
    for shown, numbers in _epochs(*numbered, augment=False):
        assert sorted(numbers) == list(range(130))
        np.testing.assert_array_equal(shown * 128, images[numbers])


def test_batches_come_in_a_new_order_in_each_epoch(numbered):
    first, second = (numbers for _, numbers in _epochs(*numbered, augment=False))
    assert list(first) != list(range(130))
    assert list(first) != list(second)


def test_batches_vary_most_images_and_keep_their_labels(numbered):
    images, _ = numbered
    varied, numbers = _epochs(*numbered, augment=True)[0]
    assert sorted(numbers) == list(range(130))
    changed = (varied * 128 != images[numbers]).any(axis=(1, 2, 3)).mean()
    assert 0.6 < changed < 0.9  # 1 - 0.3 · 0.85 is 0.745


def test_batches_vary_an_image_in_another_way_in_each_epoch(numbered):
    epochs = _epochs(*numbered, augment=True)
    one, two = (varied[np.argsort(numbers)] for varied, numbers in epochs)
    assert (one != two).any(axis=(1, 2, 3)).mean() > 0.8


def test_batches_of_the_same_seed_are_the_same(numbered):
    for first, again in zip(
        _epochs(*numbered, augment=True), _epochs(*numbered, augment=True), strict=True
    ):
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])
