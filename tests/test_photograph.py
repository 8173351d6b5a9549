"""A photograph of a digit becomes what the model was trained on, or a sentence."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from helpers import photograph, tflite
from helpers.files import TutorialError

BRIGHT, DARK = 230, 40


def as_u8(image_i8):
    """Return a test image as uint8, 28×28."""
    return (image_i8[..., 0] ^ -128).view(np.uint8)


@pytest.fixture
def digits(sample):
    return [as_u8(image) for image in sample["test_images"]]


@pytest.fixture
def page(digits):
    """Dark ink on bright paper, 200×300, a digit in the upper right."""
    large = np.kron(digits[0] > 127, np.ones((4, 4), bool))
    picture = np.full((200, 300), BRIGHT, np.uint8)
    picture[20:132, 160:272][large] = DARK
    return picture


def seen(picture):
    return photograph.steps(picture)[-1][1]


def test_steps_are_pictures_and_end_with_the_input_of_the_model(page):
    steps = photograph.steps(page)
    assert [title for title, _ in steps] == [
        "Grey",
        "Light evened out",
        "Ink white, paper black",
        "The digit alone",
        "Strokes as in MNIST",
        "28 × 28",
    ]
    for _, image in steps:
        assert image.dtype == np.uint8 and image.ndim == 2
    last = steps[-1][1]
    assert last.shape == (28, 28)
    assert last.max() == 255 and last[:3].max() == 0 == last[:, :3].max()


def test_photographs_are_read_nearly_as_well_as_the_images(digits, sample, models):
    model = tflite.LiteRT(models())
    labels = sample["test_labels"][:100]
    photographs = [photograph.synthetic(digits[i], seed=i) for i in range(100)]
    prepared = np.stack([seen(picture) for picture in photographs])
    images_i8 = (prepared ^ 0x80).view(np.int8)[..., None]
    right = (model.run(images_i8).argmax(axis=1) == labels).sum()
    directly = model.run(sample["test_images"][:100]).argmax(axis=1) == labels
    assert right >= directly.sum() - 5


def test_photograph_scaled_down_without_the_steps_is_not_read(digits, sample, models):
    model = tflite.LiteRT(models())
    labels = sample["test_labels"][:50]
    greys = [photograph.synthetic(digits[i], seed=i)[..., 1] for i in range(50)]
    small = np.stack([photograph.box_average(grey, 28, 28) for grey in greys])
    images_i8 = (small ^ 0x80).view(np.int8)[..., None]
    assert (model.run(images_i8).argmax(axis=1) == labels).mean() < 0.5


def test_chalk_on_a_blackboard_gives_the_same_as_ink_on_paper(page):
    np.testing.assert_allclose(seen(255 - page), seen(page), atol=30)


@pytest.mark.parametrize("darker", [0.4, 0.7])
def test_light_that_falls_off_changes_little(page, darker):
    light = np.linspace(1, darker, page.shape[1])
    difference = seen((page * light).astype(np.uint8)).astype(int) - seen(page)
    assert np.abs(difference).mean() < 4


def test_even_out_measures_paper_as_0_and_ink_by_its_share_of_the_light():
    light = np.linspace(120, 240, 320)
    grey = np.tile(light, (240, 1))
    grey[100:140, 150:160] *= 0.4  # ink that swallows 60 %
    contrast = photograph.even_out(grey)
    assert np.abs(contrast[:90, 40:-40]).max() <= 6
    assert contrast[100:140, 150:160].mean() == pytest.approx(-0.6 * 255, abs=5)


def test_digit_is_the_same_wherever_it_stands(page):
    moved = np.roll(page, (50, -120), axis=(0, 1))
    np.testing.assert_array_equal(seen(moved), seen(page))


@pytest.mark.parametrize("turns", range(4))
def test_prepare_keeps_a_digit_with_its_mass_at_one_side_whole(turns):
    ink = np.zeros((20, 20), np.uint8)
    ink[:3] = 255  # a bar, whose mass would push the stem out of the picture
    ink[:, 10] = 255
    ink = np.rot90(ink, turns)
    assert photograph.prepare(ink).sum() == ink.sum()


def test_file_that_a_camera_turned_is_turned_back(page, tmp_path):
    image = Image.fromarray(np.rot90(page))
    exif = Image.Exif()
    exif[0x0112] = 6  # "the upper edge is on the right"
    image.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(seen(tmp_path / "turned.png"), seen(page))


def test_large_photograph_is_reduced_to_320_pixels(page):
    large = np.kron(page, np.ones((10, 10), np.uint8))
    assert photograph.read_grey(large).shape == (213, 320)
    assert np.abs(seen(large).astype(int) - seen(page)).mean() < 4


def test_transparent_background_is_paper(page, tmp_path):
    ink = np.zeros((*page.shape, 4), np.uint8)
    ink[page == DARK] = (0, 0, 0, 255)
    Image.fromarray(ink).save(tmp_path / "ink.png")
    np.testing.assert_array_equal(seen(tmp_path / "ink.png"), seen(page))


def test_paper_edge_and_a_spot_are_left_out(page):
    clean = seen(page)
    page[:, :12] = DARK  # the table beside the paper
    page[180:184, 60:64] = DARK
    np.testing.assert_array_equal(seen(page), clean)


def test_bar_apart_from_its_digit_belongs_to_it():
    five = np.full((200, 200), BRIGHT, np.uint8)
    five[40:50, 90:150] = DARK  # the bar, 12 pixels above the rest
    five[62:160, 80:92] = DARK
    title, digit = photograph.steps(five)[3]
    assert title == "The digit alone"
    assert digit.shape[0] > 115


@pytest.mark.parametrize("thickness", [2, 4])
def test_thin_strokes_become_as_thick_as_in_mnist(thickness):
    digit = np.zeros((100, 60), np.uint8)
    digit[:, 30 : 30 + thickness] = 255
    digit[:thickness] = 255
    columns = photograph.thicken(digit)[70] > 127
    assert 0.1 * 100 <= columns.sum() <= 0.15 * 100


def test_thick_strokes_stay():
    digit = np.zeros((100, 60), np.uint8)
    digit[:, 20:40] = 255
    assert photograph.thicken(digit) is digit


WRONG = {
    "an empty page": (np.full((200, 300), BRIGHT, np.uint8), "no ink"),
    "noise": (np.random.default_rng(0).normal(200, 9, (200, 300)), "no ink"),
    "spots": (np.kron(np.eye(9) * -180 + 230, np.eye(1, 25)), "only spots"),
}


@pytest.mark.parametrize("name", WRONG)
def test_picture_without_a_digit_says_what_it_shows(name):
    picture, expected = WRONG[name]
    with pytest.raises(TutorialError, match=expected) as raised:
        photograph.steps(picture.astype(np.uint8))
    assert str(raised.value).count(". ") == 0


def test_two_digits_are_refused(page):
    page[20:132, 10:122] = page[20:132, 160:272]
    with pytest.raises(TutorialError, match="more than one digit; cut it"):
        photograph.steps(page)


def test_digit_that_reaches_the_edge_is_refused(page):
    with pytest.raises(TutorialError, match=r"reaches its edge; .* paper around it"):
        photograph.steps(page[:, :230])


@pytest.mark.parametrize("content", [None, b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_file_that_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "digit.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TutorialError, match=r"digit\.png is no picture .* expected is"):
        photograph.steps(path)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "CMYK", "I;16"])
def test_picture_of_any_mode_is_read(page, tmp_path, mode):
    if mode == "I;16":
        image = Image.fromarray(page.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(page).convert(mode)
    image.save(tmp_path / "digit.tif")
    difference = seen(tmp_path / "digit.tif").astype(int) - seen(page)
    assert np.abs(difference).mean() < 4


def test_relative_path_starts_at_the_repository():
    with pytest.raises(TutorialError, match=r"of one digit"):
        photograph.steps("no_such_photograph.jpg")
    assert photograph.read_grey("images/model_architecture.png").shape[1] == 320


def test_array_of_floats_is_no_picture():
    with pytest.raises(TutorialError, match=r"An array of shape \(9, 9, 7\) is no pic"):
        photograph.steps(np.zeros((9, 9, 7)))


def test_synthetic_is_decided_by_its_seed(digits):
    first = photograph.synthetic(digits[0], seed=1)
    assert first.dtype == np.uint8
    assert first.shape == (240, 320, 3)
    np.testing.assert_array_equal(photograph.synthetic(digits[0], seed=1), first)
    assert (photograph.synthetic(digits[0], seed=2) != first).mean() > 0.5


def test_prepare_gives_a_digit_of_mnist_back(sample):
    digits = sample["test_images"][..., 0].view(np.uint8) ^ 0x80
    found = [photograph.prepare(np.pad(x, ((0, 17), (31, 0)))) for x in digits]
    assert np.mean(np.all(found == digits, axis=(1, 2))) > 0.995


def test_prepare_fits_the_box_and_centres_the_mass():
    ink = np.zeros((90, 50), np.uint8)
    ink[10:70, 5:15] = 255  # 60×10 becomes 20×3
    ink[60:70, 15:45] = 200
    picture = photograph.prepare(ink)
    [rows, columns] = ndimage.find_objects((picture > 0).astype(int))[0]
    assert (rows.stop - rows.start, columns.stop - columns.start) == (20, 13)
    assert np.abs(np.subtract(ndimage.center_of_mass(picture), 13.5)).max() <= 0.5


def test_prepare_empty_ink_is_an_empty_picture():
    assert not photograph.prepare(np.zeros((50, 40), np.uint8)).any()


def test_box_average_rounds_halves_up():
    picture = np.array([[0, 1], [4, 5]], np.uint8)
    assert photograph.box_average(picture, 1, 1).tolist() == [[3]]  # of 2.5
    assert photograph.box_average(picture, 1, 2).tolist() == [[2, 3]]
