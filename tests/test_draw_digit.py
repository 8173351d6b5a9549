"""The drawing pad in a real browser: its arithmetic, its pictures, its answers."""

import browser
import nbformat
import numpy as np
import pytest
from browser import THREE, chromium, draw, jupyterlab
from scipy import ndimage

from helpers import draw_digit, integer_arithmetic, pages, photograph, tflite

expect = pytest.importorskip("playwright.sync_api", reason=browser.HOW).expect
__all__ = ["chromium", "jupyterlab"]  # fixtures
LOGITS = """(images) => images.map((image) =>
  [...document.querySelector(".draw-digit").logits(Int8Array.from(image))])"""
NORMALISE = "(inks) => inks.map(document.querySelector('.draw-digit').normalise)"
SEEN = "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]"
CLEAR = """(pad) => { pad.shadowRoot.querySelector(".clear").click();
  return pad.shadowRoot.querySelector(".empty") !== null; }"""


@pytest.fixture
def opened(chromium, tmp_path):
    """Return a function that opens HTML from the disk, where there is no network."""

    def open_page(html, **options):
        path = tmp_path / "page.html"
        path.write_text(html, "utf-8-sig")
        page = chromium.new_page(offline=True, **options)
        page.goto(path.as_uri())
        return page

    return open_page


@pytest.fixture(scope="module")
def html(models):
    """The pad of the tutorial's network."""
    return draw_digit.pad(models()).data


@pytest.fixture
def report_page(html, tmp_path):
    """The page of a run with a pad on it, as the batch command writes it."""
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    path = tmp_path / "notebooks" / "06_test_quantized_model.ipynb"
    browser.write_notebook(path, ["pad"], [output])
    pages.write_page(tmp_path, path.stem)
    return (tmp_path / "report" / f"{path.stem}.html").read_text("utf-8")


def logits(page, images_i8):
    return page.evaluate(LOGITS, images_i8.reshape(len(images_i8), -1).tolist())


@pytest.mark.parametrize("network", ["tutorial", "compact"])
@pytest.mark.parametrize("head", ["conv", "dense"])
def test_pad_logits_on_the_page_equal_numpy(opened, models, sample, network, head):
    model_bytes, images_i8 = models(network, head), sample["test_images"][::5]
    found = logits(opened(draw_digit.pad(model_bytes).data), images_i8)
    layers = integer_arithmetic.layers(tflite.read(model_bytes))
    expected = integer_arithmetic.run(layers, images_i8)[-1].reshape(200, 10)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("part", ["+ (1n << 30n)", "- (high < 0 && right > 0)"])
def test_pad_logits_with_another_rounding_differ(opened, html, sample, part):
    assert html.count(part) == 1
    pages = opened(html), opened(html.replace(part, ""))
    right, wrong = (logits(page, sample["test_images"][::5]) for page in pages)
    assert right != wrong


def inks():
    """Drawings: none, a dot, a trace too faint to average, noise of any size."""
    generator = np.random.default_rng(0)
    yield from ([[0] * 5] * 7, [[0, 255, 0]], [[1, *[0] * 98, 1]])
    for _ in range(40):
        height, width, top, left = generator.integers(1, 60, 4)
        ink = generator.integers(0, generator.integers(2, 257), (height, width))
        yield np.pad(ink, ((top, 60), (left, 60))).tolist()


def test_normalise_on_the_page_gives_the_bytes_of_python(opened, html):
    found = opened(html).evaluate(NORMALISE, list(inks()))
    expected = [photograph.prepare(np.array(ink, np.uint8)) for ink in inks()]
    np.testing.assert_array_equal(found, expected)


def test_normalise_digit_of_mnist_comes_back_from_anywhere(sample):
    digits = sample["test_images"][..., 0].view(np.uint8) ^ 0x80
    found = [photograph.prepare(np.pad(digit, ((0, 17), (31, 0)))) for digit in digits]
    assert np.mean(np.all(found == digits, axis=(1, 2))) > 0.995


@pytest.mark.parametrize("width", [1280, 390])
def test_pad_on_the_page_of_a_run_reads_a_drawn_three(opened, report_page, width):
    page = opened(report_page, viewport={"width": width, "height": 844})
    pad = page.locator(".draw-digit")
    draw(pad, THREE)
    expect(pad.locator(".verdict")).to_contain_text("The model reads a 3")
    expect(pad.locator(".comparison")).to_contain_text("As drawn, it would read")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert pad.evaluate(CLEAR)  # at once, not with the next frame
    expect(pad.locator(".verdict")).to_be_hidden()


def test_pad_switch_shows_the_drawing_as_it_was_made(opened, html):
    pad = opened(html).locator(".draw-digit")
    pad.get_by_role("button", name="Show an example").click()
    expect(pad.locator(".verdict")).to_contain_text("The model reads a 7")
    for prepared in (True, False):
        pad.get_by_role("checkbox").set_checked(prepared)
        assert np.abs(from_mark_to_centre_of_mass(pad)).max() < 0.1  # pixels of 28
    expect(pad.locator(".verdict")).not_to_contain_text("reads a 7")
    expect(pad.locator(".comparison")).to_contain_text("it would read a 7")


def from_mark_to_centre_of_mass(pad):
    canvas = pad.locator(".seen canvas")
    grey = np.reshape(canvas.evaluate(SEEN), (28, 28, 4))[..., 0]
    parts = canvas, pad.locator(".centre")
    paper, mark = (np.array([*part.bounding_box().values()]) for part in parts)
    place = 28 * (mark[:2] + mark[2:] / 2 - paper[:2]) / paper[2:]
    return np.add(ndimage.center_of_mass(grey)[::-1], 0.5) - place


def test_pad_finger_draws_and_does_not_scroll(opened, html):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    page = opened(html + "<p style='height: 3000px'>", is_mobile=True, **phone)
    box = page.locator(".pad canvas").bounding_box()
    touch = page.context.new_cdp_session(page)
    for number, y in enumerate(np.linspace(0.85, 0.2, 12) * box["height"] + box["y"]):
        event = {"type": "touchMove" if number else "touchStart"}
        event["touchPoints"] = [{"x": box["x"] + box["width"] / 2, "y": y}]
        touch.send("Input.dispatchTouchEvent", event)
    expect(page.locator(".verdict")).to_contain_text("The model reads a 1")
    assert page.evaluate("window.scrollY") == 0


def test_pad_in_jupyterlab_needs_trust_and_no_kernel(chromium, jupyterlab, html):
    (jupyterlab.folder / "pad.html").write_text(html, "utf-8")
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    code = "from IPython.display import HTML\nHTML(filename='pad.html')"
    browser.write_notebook(jupyterlab.folder / "pads.ipynb", 2 * [code], [output])
    page = browser.open_notebook(chromium, jupyterlab, "pads.ipynb")
    # Stored outputs are not trusted: no script of theirs may run.
    expect(page.locator(".draw-digit").first).to_contain_text("To draw here")
    expect(page.locator(".verdict")).to_have_count(0)
    for _ in range(2):  # a cell may run again
        assert browser.run_all(page)
        expect(page.locator(".verdict")).to_have_count(2)
    browser.shut_down(page)
    first, second = page.locator(".draw-digit").all()
    draw(second, THREE)
    expect(second.locator(".verdict")).to_contain_text("The model reads a 3")
    expect(first.locator(".verdict")).to_be_hidden()
    page.keyboard.press("b")  # adds a cell, if JupyterLab gets it
    assert len(browser.cells(page)) == 2
