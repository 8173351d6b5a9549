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
    maps = augmentation.affine_maps(8, [7, 1]).numpy()
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


def test_random_affine_plain_images_keep_their_shape(figures_i8, monkeypatch):
    images = figures_i8.astype(np.float32)
    monkeypatch.setattr(augmentation, "PLAIN_SHARE", 1.0)
    same = augmentation.random_affine(images, [1, 2]).numpy()
    assert np.abs(same - images).max() < 1e-3


def test_affine_maps_are_made_of_parts_within_their_ranges():
    maps = augmentation.affine_maps(4000, [2, 2]).numpy()
    a0, a1, a2, b0, b1, b2 = maps[:, :6].T.astype(float)
    # Undo rotation · slant · squeeze: the first column gives angle and width.
    angle = np.arctan2(b0, a0)
    zoom = b1 * np.cos(angle) - a1 * np.sin(angle)
    aspect = np.hypot(a0, b0) / zoom
    shear = (a1 * np.cos(angle) + b1 * np.sin(angle)) / zoom
    # The point that shows the original's centre has moved by the shift.
    centre = np.linalg.solve(
        np.stack([a0, a1, b0, b1], 1).reshape(-1, 2, 2),
        np.stack([13.5 - a2, 13.5 - b2], 1)[..., None],
    )
    shift = centre[..., 0] - 13.5
    for values, low, high in [
        (angle, -augmentation.ROTATION, augmentation.ROTATION),
        (zoom, *augmentation.ZOOM),
        (aspect, *augmentation.ASPECT),
        (shear, -augmentation.SHEAR, augmentation.SHEAR),
        (shift[:, 0], -augmentation.SHIFT, augmentation.SHIFT),
        (shift[:, 1], -augmentation.SHIFT, augmentation.SHIFT),
    ]:
        assert values.min() >= low - 1e-3
        assert values.max() <= high + 1e-3
        # The whole range is used.
        assert np.ptp(values) > 0.98 * (high - low)
    plain = np.abs(maps[:, :6] - [1, 0, 0, 0, 1, 0]).max(axis=1) < 1e-4
    assert plain.mean() == pytest.approx(augmentation.PLAIN_SHARE, abs=0.02)


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


def test_random_contrast_keeps_most_images_and_the_order_of_greys():
    ramp = np.linspace(-128, 127, 28 * 28, dtype=np.float32)
    images = np.tile(ramp.reshape(1, 28, 28, 1), (2000, 1, 1, 1))
    varied = augmentation.random_contrast(images, [5, 6]).numpy()
    changed = np.abs(varied - images).max(axis=(1, 2, 3)) > 1e-3
    assert changed.mean() == pytest.approx(augmentation.CONTRAST_SHARE, abs=0.03)
    assert (np.diff(varied.reshape(2000, -1), axis=1) > 0).all()
    paper, ink = varied[changed, 0, 0, 0], varied[changed, -1, -1, 0]
    assert -128 <= paper.min() < -120
    assert -70 < paper.max() <= -64
    assert 63 <= ink.min() < 70
    assert 120 < ink.max() <= 127


def test_augmented_examples_are_variants_of_their_image(figures_i8):
    examples = augmentation.augmented_examples(figures_i8[:3], 5, seed=1)
    assert examples.dtype == np.int8
    assert examples.shape == (3, 5, 28, 28, 1)
    first = examples[:, 0].astype(int)
    assert all(np.abs(examples[:, k] - first).max() > 50 for k in range(1, 5))
    again = augmentation.augmented_examples(figures_i8[:3], 5, seed=1)
    assert np.array_equal(examples, again)
