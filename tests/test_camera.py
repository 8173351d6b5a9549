"""Each effect is as strong as its caption says; the rule of polarity is a real one."""

import re

import numpy as np
import pytest

from helpers import camera

CAPTIONS = [
    "As in the test set",
    "Shifted 1 px diagonally",
    "Shifted 2 px diagonally",
    "Shifted 3 px diagonally",
    "Shifted 4 px diagonally",
    "Rotated by 15° either way",
    "Squeezed to 75 % width",
    "Ink 200 on paper 40",
    "Noise, σ = 15",
    "Blurred, σ = 1 px",
    "Uneven light",
    "Inverted",
    "Inverted, polarity fixed",
]


@pytest.fixture
def digits_i8(sample):
    return sample["test_images"][:50]


def pixels(images_i8):
    """Return images as pixel values, without the axis of channels."""
    return images_i8[..., 0].astype(int) + 128


def plain(pixel, images=1):
    """Return int8 images whose pixels all have one value."""
    return np.full((images, 28, 28, 1), pixel - 128, np.int8)


def with_point(row, column, images=1):
    """Return black int8 images with one white pixel."""
    found = plain(0, images)
    found[:, row, column] = 127
    return found


def altered(caption, images_i8):
    """Return the pixels of images under the effect with this caption."""
    return pixels(camera.EFFECTS[caption](images_i8))


def test_pictures_are_the_effects_in_order(digits_i8):
    found = dict(camera.pictures(digits_i8))
    assert list(found) == CAPTIONS
    for caption, images_i8 in found.items():
        assert images_i8.dtype == np.int8
        assert images_i8.shape == digits_i8.shape
        np.testing.assert_array_equal(pixels(images_i8), altered(caption, digits_i8))


def test_pictures_leave_the_images_as_they_are(digits_i8):
    before = digits_i8.copy()
    list(camera.pictures(digits_i8))
    np.testing.assert_array_equal(digits_i8, before)


def test_pictures_differ_from_the_images_but_for_two(digits_i8):
    for caption, images_i8 in camera.pictures(digits_i8):
        is_same = caption in ("As in the test set", "Inverted, polarity fixed")
        assert np.array_equal(images_i8, digits_i8) == is_same


@pytest.mark.parametrize("caption", CAPTIONS[1:5])
def test_shifted_moves_down_and_right_by_what_the_caption_says(caption):
    steps = int(re.findall(r"\d+", caption)[0])
    found = altered(caption, with_point(10, 12))
    assert np.argwhere(found).tolist() == [[0, 10 + steps, 12 + steps]]


def test_shift_what_comes_into_view_is_black(digits_i8):
    shifted = camera.shift(digits_i8, down=3, right=2)
    np.testing.assert_array_equal(shifted[:, 3:, 2:], digits_i8[:, :-3, :-2])
    assert (shifted[:, :3] == -128).all()
    assert (shifted[:, :, :2] == -128).all()


def test_rotated_turns_by_15_degrees_and_every_other_the_other_way():
    found = altered("Rotated by 15° either way", with_point(13, 26, images=4))
    y, x = np.mgrid[:28, :28] - 13.5
    angles = []
    for image in found:
        down, right = (y * image).sum(), (x * image).sum()
        angles.append(np.degrees(np.arctan2(-down, right)))  # counted upwards
    start = np.degrees(np.arctan2(0.5, 12.5))
    turned = np.array(angles) - start
    np.testing.assert_allclose(turned, [15, -15, 15, -15], atol=0.7)


def test_rotate_by_90_degrees_is_a_quarter_turn(digits_i8):
    turned = camera.rotate(digits_i8, 90)
    np.testing.assert_array_equal(turned[::2], np.rot90(digits_i8[::2], 1, (1, 2)))
    np.testing.assert_array_equal(turned[1::2], np.rot90(digits_i8[1::2], -1, (1, 2)))


def test_squeezed_keeps_75_percent_of_the_width_and_all_of_the_height():
    block = plain(0)
    block[:, 4:24, 4:24] = 127  # 20 × 20
    found = altered("Squeezed to 75 % width", block)[0]
    assert (found.sum(axis=1) > 0).sum() == 20
    assert found[10].sum() == pytest.approx(0.75 * 20 * 255, rel=0.01)
    assert (found[10] > 0).sum() in (15, 16)


def test_squeezed_pixel_is_the_mean_of_what_it_covers():
    stripes = plain(0)
    stripes[:, :, [4, 6]] = 116 - 128
    row = altered("Squeezed to 75 % width", stripes)[0, 0]
    # Place 6 covers old pixel 4 and a third of pixel 5: 87 = 3/4 · 116.
    assert {i: int(row[i]) for i in np.flatnonzero(row)} == {6: 87, 7: 58, 8: 29}


def test_ink_and_paper_become_200_and_40():
    assert (altered("Ink 200 on paper 40", plain(255)) == 200).all()
    assert (altered("Ink 200 on paper 40", plain(0)) == 40).all()
    assert (altered("Ink 200 on paper 40", plain(51)) == 72).all()  # 40 + 160 / 5


def test_noise_has_the_deviation_of_the_caption_and_no_bias():
    found = altered("Noise, σ = 15", plain(128, images=40))
    assert abs(found.mean() - 128) < 0.3
    assert abs(found.std() - 15) < 0.3


def test_noise_is_the_same_each_time_and_that_of_its_seed(digits_i8):
    first = camera.add_noise(digits_i8, 15, seed=3)
    np.testing.assert_array_equal(camera.add_noise(digits_i8, 15, seed=3), first)
    assert (camera.add_noise(digits_i8, 15, seed=4) != first).any()


def test_blurred_point_is_a_gaussian_of_one_pixel():
    found = altered("Blurred, σ = 1 px", with_point(14, 14))[0]
    # 255 / 2π · exp(-r² / 2)
    assert [int(found[14, 14]), int(found[14, 15]), int(found[15, 15])] == [41, 25, 15]


def test_blurred_light_is_lost_at_the_edge():
    found = altered("Blurred, σ = 1 px", with_point(0, 0))[0]
    assert found[0, 0] == 41


def test_uneven_light_falls_from_upper_left_to_45_percent():
    ink = altered("Uneven light", plain(255))[0]
    paper = altered("Uneven light", plain(0))[0]
    assert (ink[0, 0], paper[0, 0]) == (230, 50)
    assert (ink[-1, -1], paper[-1, -1]) == (104, 22)  # 103.5 and 22.5, to even numbers
    assert ink[0, -1] == ink[-1, 0] == 167  # half way: 72.5 % of 230


def test_inverted_swaps_black_and_white():
    assert altered("Inverted", plain(0)).min() == 255
    assert altered("Inverted", plain(255)).max() == 0
    assert altered("Inverted", plain(100)).max() == 155


def test_fix_polarity_restores_inverted_pictures_only(digits_i8):
    mixed = digits_i8.copy()
    mixed[::3] = camera.invert(mixed[::3])
    for images in (digits_i8, camera.invert(digits_i8), mixed):
        np.testing.assert_array_equal(camera.fix_polarity(images), digits_i8)


def test_draw_sample_is_always_the_same_and_not_the_first(digits_i8):
    labels = np.arange(50)
    images, drawn = camera.draw_sample(digits_i8, labels, count=20)
    again, _ = camera.draw_sample(digits_i8, labels, count=20)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(images, digits_i8[drawn])
    assert len(set(drawn.tolist())) == 20
    assert sorted(drawn.tolist()) != list(range(20))


def test_draw_sample_has_2000_images_unless_more_or_fewer_are_asked_for():
    images = np.arange(2500)
    drawn, labels = camera.draw_sample(images, images)
    assert len(drawn) == len(labels) == 2000  # as the page on the camera says
