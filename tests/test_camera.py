"""Camera effects do what their captions say; the rule of polarity is a real one."""

import numpy as np

from helpers import camera


def pixels(images_i8):
    return images_i8.astype(int) + 128


def test_pictures_have_every_effect_and_their_own_noise(sample):
    digits_i8 = sample["test_images"][:50]
    before = digits_i8.tobytes()
    found = dict(camera.pictures(digits_i8))
    assert list(found) == list(camera.EFFECTS) and len(found) == 13
    for caption, images in found.items():
        assert images.dtype == np.int8 and images.shape == digits_i8.shape
        same = caption in ("As in the test set", "Inverted, polarity fixed")
        assert np.array_equal(images, digits_i8) == same
    assert digits_i8.tobytes() == before
    noise = [dict(camera.pictures(digits_i8, s))["Noise, σ = 15"] for s in (3, 3, 4)]
    assert np.array_equal(noise[0], noise[1]) and not np.array_equal(*noise[1:])


def test_effects_by_their_definitions(sample):
    digits_i8 = sample["test_images"][:50]
    shifted = camera.shift(digits_i8, 3, 2)
    assert np.array_equal(shifted[:, 3:, 2:], digits_i8[:, :-3, :-2])
    assert (shifted[:, :3] == -128).all() and (shifted[:, :, :2] == -128).all()
    turned = camera.rotate(digits_i8, 90)  # every other digit the other way
    assert np.array_equal(turned[::2], np.rot90(digits_i8[::2], 1, (1, 2)))
    assert np.array_equal(turned[1::2], np.rot90(digits_i8[1::2], -1, (1, 2)))
    grey = pixels(camera.change_contrast(digits_i8, 200, 40))
    assert np.array_equal(grey, np.rint(40 + 160 / 255 * pixels(digits_i8)))


def test_effects_on_pictures_worked_out_by_hand():
    black, white = (np.full((1, 28, 28, 1), v, np.int8) for v in (-128, 127))
    stripes, point = black.copy(), black.copy()
    stripes[:, :, [4, 6]], point[0, [0, 14], [0, 14]] = 116 - 128, 127
    row = pixels(camera.squeeze(stripes))[0, 0, :, 0]  # new pixel 6: 3/4 of old pixel 4
    assert {i: v for i, v in enumerate(row.tolist()) if v} == {6: 87, 7: 58, 8: 29}
    blurred = pixels(camera.blur(point, 1))[0, ..., 0]  # 255 / 2π · exp(-r²/2)
    assert blurred[[0, 14, 14, 15], [0, 14, 15, 15]].tolist() == [41, 41, 25, 15]
    grey = camera.add_noise(np.zeros((40, 28, 28, 1)), np.random.default_rng(1), 15)
    assert abs(grey.mean()) < 0.3 and abs(grey.std() - 15) < 0.3
    lit = pixels(camera.light_unevenly(white, ink=200, dark=0.5))[0, ..., 0]
    assert (lit[0, 0], lit[-1, -1], lit[0, -1]) == (200, 100, 150)


def test_fix_polarity_restores_inverted_pictures_only(sample):
    digits_i8 = sample["test_images"][:50]
    mixed = digits_i8.copy()
    mixed[::3] = camera.invert(mixed[::3])
    for images in (digits_i8, camera.invert(digits_i8), mixed):
        assert np.array_equal(camera.fix_polarity(images), digits_i8)
