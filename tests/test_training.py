"""Training batches: every image once an epoch, in a new order, with its own label."""

import numpy as np
import pytest

from helpers.learn.training import training_batches


@pytest.fixture(scope="module")
def marked_i8():
    """Fifty grey images, each of its own grey, with the grey as the label."""
    labels = np.arange(50)
    images_i8 = np.empty((50, 28, 28, 1), np.int8)
    images_i8[:] = labels[:, None, None, None]
    return images_i8, labels


def _epoch(batches):
    return [(images.numpy(), labels.numpy()) for images, labels in batches]


def test_training_batches_every_image_comes_once_with_its_label(marked_i8):
    batches = training_batches(*marked_i8, batch_size=16, augment=False, seed=1)
    assert len(batches) == 4
    epoch = _epoch(batches)
    assert [len(images) for images, _ in epoch] == [16, 16, 16, 2]
    labels = np.concatenate([labels for _, labels in epoch])
    images = np.concatenate([images for images, _ in epoch])
    assert sorted(labels) == list(range(50))
    assert images.dtype == np.float32
    assert np.array_equal(images[:, 0, 0, 0], labels / np.float32(128))


def test_training_batches_pixel_scale_divides_after_augmentation(marked_i8):
    def epoch(pixel_scale):
        batches = training_batches(*marked_i8, pixel_scale=pixel_scale, seed=3)
        return np.concatenate([images for images, _ in _epoch(batches)])

    assert np.allclose(epoch(1.0), 128 * epoch(128.0), atol=1e-4)
    assert epoch(1.0).min() == -128


@pytest.mark.parametrize("augment", [False, True])
def test_training_batches_same_seed_gives_the_same_epochs(augment, marked_i8):
    def two_epochs(seed):
        batches = training_batches(*marked_i8, augment=augment, seed=seed)
        return [images for _ in range(2) for images, _ in _epoch(batches)]

    first, again, other = two_epochs(5), two_epochs(5), two_epochs(6)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_training_batches_second_epoch_has_another_order(marked_i8):
    batches = training_batches(*marked_i8, augment=False, seed=2)
    first, second = _epoch(batches), _epoch(batches)
    assert not np.array_equal(first[0][1], second[0][1])


def test_training_batches_second_epoch_shows_other_variants():
    box_i8 = np.full((1, 28, 28, 1), -128, np.int8)
    box_i8[:, 9:19, 11:17] = 127
    batches = training_batches(box_i8, np.zeros(1), seed=2)
    (first, _), (second, _) = _epoch(batches)[0], _epoch(batches)[0]
    assert not np.array_equal(first, second)
