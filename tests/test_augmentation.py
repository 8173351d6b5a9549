"""Augmentation: the maps stay in their ranges and do to pictures what they say."""

import numpy as np
import pytest
from scipy import ndimage

from helpers.learn import augmentation


@pytest.fixture(scope="module")
def figures_i8():
    """Eight different grey figures on black paper, up to the edge of the picture."""
    noise = np.random.default_rng(4).uniform(0, 255, (8, 28, 28, 1))
    smooth = ndimage.gaussian_filter(noise, (0, 2, 2, 0))
    return np.clip(smooth * 4 - 512, -128, 127).astype(np.int8)


def test_random_affine_equals_ndimage_with_the_same_map(figures_i8):
    images = figures_i8.astype(np.float32)
    varied = augmentation.random_affine(images, [7, 1]).numpy()
    maps = augmentation.affine_transforms(8, [7, 1]).numpy()
    for image, found, (a0, a1, a2, b0, b1, b2, *_) in zip(
        images, varied, maps, strict=True
    ):
        expected = ndimage.affine_transform(
            image[..., 0],
            [[b1, b0], [a1, a0]],  # ndimage counts rows first
            [b2, a2],
            order=1,
            mode="grid-constant",
            cval=-128,
        )
        assert np.abs(found[..., 0] - expected).max() < 0.05


def test_random_affine_strength_zero_changes_nothing(figures_i8):
    images = figures_i8.astype(np.float32)
    same = augmentation.random_affine(images, [1, 2], strength=0.0).numpy()
    assert np.abs(same - images).max() < 1e-3


def test_random_affine_same_seed_same_result(figures_i8):
    images = figures_i8.astype(np.float32)
    first, again, other = (
        augmentation.random_affine(images, seed).numpy()
        for seed in ([3, 4], [3, 4], [3, 5])
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_random_affine_blank_paper_stays_blank():
    paper = np.full((16, 28, 28, 1), -1.0, np.float32)
    assert np.array_equal(augmentation.random_affine(paper, [0, 0], paper=-1.0), paper)
