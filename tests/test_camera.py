"""Camera pictures: each effect does what its caption says, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from helpers.learn import camera


@pytest.fixture(scope="module")
def digits_i8():
    """Three hand-made figures in the middle of the picture: bar, box and blob."""
    pixels = np.zeros((3, 28, 28, 1))
    pixels[0, 6:22, 13:15] = 255
    pixels[1, 8:20, 9:19] = 180
    pixels[1, 10:18, 11:17] = 0
    y, x = np.mgrid[:28, :28] - 13.5
    pixels[2, ..., 0] = 255 * np.exp(-(x**2 / 18 + y**2 / 32))
    return (np.rint(pixels) - 128).astype(np.int8)


@pytest.mark.parametrize("name", camera.EFFECTS)
def test_effect_keeps_shape_and_type_and_leaves_its_input(name, digits_i8):
    before = digits_i8.copy()
    pictures = camera.EFFECTS[name].apply(digits_i8, np.random.default_rng(0))
    assert pictures.dtype == np.int8
    assert pictures.shape == digits_i8.shape
    assert np.array_equal(digits_i8, before)


def test_camera_pictures_same_seed_gives_same_noise(digits_i8):
    def noise(seed):
        return {n: p for n, _, p in camera.camera_pictures(digits_i8, seed)}["noisy"]

    assert np.array_equal(noise(3), noise(3))
    assert not np.array_equal(noise(3), noise(4))


@settings(max_examples=40, deadline=None)
@given(st.integers(-30, 30), st.integers(-30, 30), st.integers(0, 2**32 - 1))
def test_shifted_any_distance_equals_ndimage(down, right, seed):
    images = np.random.default_rng(seed).integers(-128, 128, (2, 28, 28, 1), np.int8)
    expected = ndimage.shift(images, (0, down, right, 0), order=0, cval=-128)
    assert np.array_equal(camera.shifted(images, down, right), expected)


def test_shifted_down_right_moves_down_right(digits_i8):
    moved = camera.shifted(digits_i8, 3, 2)
    assert np.array_equal(moved[:, 3:, 2:], digits_i8[:, :-3, :-2])
    assert (moved[:, :3] == -128).all()
    assert (moved[:, :, :2] == -128).all()


@pytest.mark.parametrize("degrees", [-40, -15, 0, 7.5, 15, 90])
def test_rotated_equals_ndimage(degrees, digits_i8):
    turned = camera.rotated(digits_i8, degrees)
    expected = ndimage.rotate(
        digits_i8.astype(float) + 128,
        degrees,
        (2, 1),
        reshape=False,
        order=1,
        mode="grid-constant",
    )
    assert np.abs(turned + 128.0 - expected).max() <= 0.5 + 1e-3


def test_rotated_quarter_turn_is_counter_clockwise(digits_i8):
    assert np.array_equal(camera.rotated(digits_i8, 90), np.rot90(digits_i8, 1, (1, 2)))


def test_either_way_alternates(digits_i8):
    turned = camera.either_way(digits_i8, 15)
    assert np.array_equal(turned[::2], camera.rotated(digits_i8, 15)[::2])
    assert np.array_equal(turned[1::2], camera.rotated(digits_i8, -15)[1::2])


def test_squeezed_keeps_ink_and_narrows(digits_i8):
    pressed = camera.squeezed(digits_i8, 0.75)
    before = digits_i8.astype(float) + 128
    after = pressed.astype(float) + 128
    assert np.allclose(after.sum((2, 3)), 0.75 * before.sum((2, 3)), atol=14)
    columns = np.arange(28)

    def spread(pixels):
        share = pixels.sum((1, 3)) / pixels.sum((1, 2, 3))[:, None]
        middle = (share * columns).sum(1, keepdims=True)
        return np.sqrt((share * (columns - middle) ** 2).sum(1))

    assert np.allclose(spread(after)[1:] / spread(before)[1:], 0.75, atol=0.02)


def test_squeezed_full_width_changes_nothing(digits_i8):
    assert np.array_equal(camera.squeezed(digits_i8, 1.0), digits_i8)


def test_low_contrast_maps_black_to_paper_and_white_to_ink():
    images = np.array([-128, 127], np.int8).reshape(1, 2, 1, 1)
    assert camera.low_contrast(images).ravel().tolist() == [40 - 128, 200 - 128]


def test_noisy_grey_has_the_stated_deviation():
    grey = np.zeros((40, 28, 28, 1), np.int8)
    noise = camera.noisy(grey, np.random.default_rng(1)).astype(float)
    assert abs(noise.mean()) < 0.3
    assert abs(noise.std() - 15) < 0.3


def test_blurred_equals_ndimage(digits_i8):
    expected = ndimage.gaussian_filter(
        digits_i8.astype(float) + 128, (0, 1, 1, 0), mode="constant", truncate=8
    )
    assert np.abs(camera.blurred(digits_i8) + 128.0 - expected).max() <= 0.5 + 1e-3


def test_unevenly_lit_fades_from_upper_left_to_lower_right():
    white = np.full((1, 28, 28, 1), 127, np.int8)
    pixels = camera.unevenly_lit(white, dark=0.5, ink=200)[0, ..., 0] + 128.0
    assert pixels[0, 0] == 200
    assert pixels[-1, -1] == 100
    assert (np.diff(pixels, axis=0) <= 0).all()
    assert (np.diff(pixels, axis=1) <= 0).all()


def test_fix_polarity_every_value_is_255_minus_pixel():
    values = np.arange(-128, 128, dtype=np.int8)
    pixels = values.astype(int) + 128
    assert np.array_equal(camera.fix_polarity(values).astype(int) + 128, 255 - pixels)


def test_fix_polarity_twice_gives_the_original(digits_i8):
    effect = camera.EFFECTS["inverted_fixed"]
    assert np.array_equal(effect.apply(digits_i8, None), digits_i8)
