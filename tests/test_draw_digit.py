"""The drawing pad in a real browser: its network, its pictures, its answers."""

import json
from dataclasses import replace

import browser
import nbformat
import numpy as np
import pytest
from browser import THREE, chromium, draw, jupyterlab, page_folder
from PIL import Image
from scipy import ndimage

from helpers import (
    draw_digit,
    integer_arithmetic,
    pages,
    photograph,
    runs,
    tflite,
)

expect = pytest.importorskip("playwright.sync_api", reason=browser.HOW).expect
__all__ = ["chromium", "jupyterlab", "page_folder"]  # fixtures
# Arrays travel as text, which is ten times as fast.
LOGITS = """(text) => {
  const pad = document.querySelector(".draw-digit");
  return JSON.parse(text).map((image) => [...pad.logits(image)]);
}"""
PREPARED = "(text) => JSON.parse(text).map(prepareAsMnist)"
SEEN = "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]"
CLEAR = """(pad) => {
  pad.shadowRoot.querySelector(".clear").click();
  return pad.shadowRoot.querySelector(".empty") !== null;
}"""
INK = """(canvas, [x, y]) => {
  const pen = canvas.getContext("2d");
  return pen.getImageData(x * canvas.width, y * canvas.height, 1, 1).data[0];
}"""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


@pytest.fixture
def opened(chromium, page_folder):
    """Return a function that opens HTML from the disk, where there is no network."""

    def open_page(html, policy="", **options):
        path = page_folder / "page.html"
        meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        path.write_text(
            f"<!DOCTYPE html>\n{meta if policy else ''}\n{html}", "utf-8-sig"
        )
        page = chromium.new_page(offline=True, **options)
        page.goto(path.as_uri())
        return page

    return open_page


@pytest.fixture(scope="module")
def published(candidate, models):
    """Return a function from network and head to what a run with them publishes."""

    def made(network="tutorial", head="conv"):
        other = replace(candidate, model_bytes=models(network, head))
        return other.published_files("mnist_cnn")

    return made


@pytest.fixture(scope="module")
def html(published):
    """The pad of the tutorial's network."""
    return draw_digit.pad("mnist_cnn", published()).data


@pytest.fixture
def report_page(html, tmp_path):
    """The page of a run with a pad on it, as the batch command writes it."""
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    path = tmp_path / "notebooks" / "06_test_quantized_model.ipynb"
    browser.write_notebook(path, ["pad"], [output])
    pages.write_page(tmp_path, path.stem)
    return (tmp_path / "report" / f"{path.stem}.html").read_text("utf-8")


def logits(page, images_i8):
    """Return what the pad of a page answers for images."""
    expect(page.locator(".verdict")).to_have_count(1)
    images = images_i8.reshape(len(images_i8), -1).tolist()
    return page.evaluate(LOGITS, json.dumps(images))


@pytest.mark.parametrize("network", ["tutorial", "compact"])
@pytest.mark.parametrize("head", ["conv", "dense"])
def test_pad_logits_equal_those_of_the_runtime(
    opened, published, sample, network, head
):
    files, images_i8 = published(network, head), sample["test_images"][::5]
    found = logits(opened(draw_digit.pad("mnist_cnn", files).data), images_i8)
    runtime = tflite.tflm_or_stand_in(files["mnist_cnn_int8.tflite"])
    last = integer_arithmetic.layers(runtime.model)[-1].tensor
    expected = runtime.tensors(images_i8)[last].reshape(200, 10)
    tolerance = 0 if runtime.is_tflm else 1
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_pad_runs_the_published_c_and_nothing_else(opened, published, sample):
    files, images_i8 = published(), sample["test_images"][:1]
    right = logits(opened(draw_digit.pad("mnist_cnn", files).data), images_i8)
    path = "mnist_cnn_int8_inference.c"
    source = files[path].decode()
    start = source.index("{", source.rindex("static const int32_t bias_")) + 1
    changed = source[:start] + " 1000 +" + source[start:]
    wrong_files = {**files, path: changed.encode()}
    wrong = logits(opened(draw_digit.pad("mnist_cnn", wrong_files).data), images_i8)
    assert wrong[0][0] != right[0][0]
    assert wrong[0][1:] == right[0][1:]


def inks():
    """Return drawings: none, a dot, one too faint to average, noise of any size."""
    faint = np.zeros((1, 100), int)
    faint[0, 0] = 1
    faint[0, -1] = 1
    drawings = [np.zeros((7, 5), int), np.array([[0, 255, 0]]), faint]
    generator = np.random.default_rng(0)
    for _ in range(40):
        height, width, top, left = generator.integers(1, 60, 4)
        ink = generator.integers(0, generator.integers(2, 257), (height, width))
        drawings.append(np.pad(ink, ((top, 60), (left, 60))))
    return drawings


def test_preparation_on_the_page_gives_the_bytes_of_python(chromium):
    page = chromium.new_page()
    page.add_script_tag(path=draw_digit.PARTS / "preparation.js")
    drawings = [ink.tolist() for ink in inks()]
    found = page.evaluate(PREPARED, json.dumps(drawings))
    expected = [photograph.prepare(ink.astype(np.uint8)) for ink in inks()]
    np.testing.assert_array_equal(found, expected)


def test_softmax_on_the_page_is_that_of_the_real_logits(chromium):
    page = chromium.new_page()
    page.add_script_tag(path=draw_digit.PARTS / "network.js")
    logits_i8 = np.array([-128, -20, 0, 7, 127])
    found = page.evaluate("(logits) => softmax(logits, 0.05, -7)", logits_i8.tolist())
    powers = np.exp(0.05 * (logits_i8 + 7))
    np.testing.assert_allclose(found, powers / powers.sum(), rtol=1e-6)


def test_percent_on_the_page_are_rounded_but_not_to_certainty(chromium):
    page = chromium.new_page()
    page.add_script_tag(path=draw_digit.PARTS / "page.js")
    found = page.evaluate("[0.004, 0.006, 0.876, 0.994, 0.996].map(percent)")
    said = [text.replace("\u00a0", " ") for text in found]
    assert said == ["<1 %", "1 %", "88 %", "99 %", ">99 %"]


def test_pad_bars_are_as_long_as_their_probabilities(opened, html):
    pad = opened(html).locator(".draw-digit")
    pad.get_by_role("button", name="Show an example").click()
    expect(pad.locator(".verdict")).to_be_visible()
    styles = pad.locator(".bar").evaluate_all(
        "(bars) => bars.map((b) => b.style.width)"
    )
    widths = [float(width.removesuffix("%")) for width in styles]
    assert len(widths) == 10
    assert sum(widths) == pytest.approx(100)
    assert np.argmax(widths) == 7


def in_words(percent):
    """Return a percentage as the pad writes it."""
    if percent < 0.5:
        return "<1\u00a0%"
    if percent >= 99.5:
        return ">99\u00a0%"
    return f"{np.floor(percent + 0.5):.0f}\u00a0%"


def test_pad_shows_the_probabilities_of_the_logits(opened, html, published):
    page = opened(html)
    page.get_by_role("button", name="Show an example").click()
    page.get_by_role("checkbox").set_checked(False)  # where it is less sure
    expect(page.locator(".verdict")).to_be_visible()
    seen = np.reshape(page.locator(".seen canvas").evaluate(SEEN), (784, 4))
    found = logits(page, seen[None, :, 0] - 128)
    model = tflite.read(published()["mnist_cnn_int8.tflite"])
    scale = model.tensors[integer_arithmetic.layers(model)[-1].tensor].scale
    powers = np.exp(scale * np.array(found[0]))  # a zero point changes no share
    expected = 100 * powers / powers.sum()
    shown = page.locator(".value").all_text_contents()
    assert shown == [in_words(percent) for percent in expected]


def test_pad_ink_is_where_the_pointer_is(opened, html):
    pad = opened(html).locator(".draw-digit")
    draw(pad, [[(0.9, 0.2)]])
    paper = pad.locator("canvas").first
    assert paper.evaluate(INK, [0.9, 0.2]) == 255
    assert paper.evaluate(INK, [0.82, 0.2]) == 0


def test_pads_on_one_page_start_once_each(opened, html):
    page = opened("")
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    page.set_content(html + html)
    expect(page.locator(".verdict")).to_have_count(2)
    assert errors == []


@pytest.mark.parametrize("width", [1280, 390])
def test_pad_on_the_page_of_a_run_reads_a_drawn_three(opened, report_page, width):
    page = opened(report_page, viewport={"width": width, "height": 844})
    pad = page.locator(".draw-digit")
    draw(pad, THREE)
    expect(pad.locator(".verdict")).to_contain_text("The model reads a 3")
    expect(pad.locator(".comparison")).to_contain_text("As drawn, it would read")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_pad_after_clear_says_nothing_at_once(opened, html):
    pad = opened(html).locator(".draw-digit")
    draw(pad, THREE)
    expect(pad.locator(".verdict")).to_be_visible()
    assert pad.evaluate(CLEAR)  # not with the next frame only
    expect(pad.locator(".verdict")).to_be_hidden()


def test_pad_switch_shows_the_drawing_as_it_was_made(opened, html):
    pad = opened(html).locator(".draw-digit")
    pad.get_by_role("button", name="Show an example").click()
    expect(pad.locator(".verdict")).to_contain_text("The model reads a 7")
    pad.get_by_role("checkbox").set_checked(False)
    expect(pad.locator(".verdict")).not_to_contain_text("reads a 7")
    expect(pad.locator(".comparison")).to_contain_text("it would read a 7")


@pytest.mark.parametrize("prepared", [True, False])
def test_pad_mark_is_at_the_centre_of_mass(opened, html, prepared):
    pad = opened(html).locator(".draw-digit")
    pad.get_by_role("button", name="Show an example").click()
    expect(pad.locator(".verdict")).to_be_visible()
    pad.get_by_role("checkbox").set_checked(prepared)
    canvas = pad.locator(".seen canvas")
    grey = np.reshape(canvas.evaluate(SEEN), (28, 28, 4))[..., 0]
    expected_y, expected_x = np.add(ndimage.center_of_mass(grey), 0.5)
    paper = canvas.bounding_box()
    mark = pad.locator(".centre").bounding_box()
    pixel = paper["width"] / 28
    x = (mark["x"] + mark["width"] / 2 - paper["x"]) / pixel
    y = (mark["y"] + mark["height"] / 2 - paper["y"]) / pixel
    assert abs(x - expected_x) < 0.1
    assert abs(y - expected_y) < 0.1


def test_pad_finger_draws_and_does_not_scroll(opened, html):
    page = opened(html + "<p style='height: 3000px'>", is_mobile=True, **PHONE)
    box = page.locator(".pad canvas").bounding_box()
    touch = page.context.new_cdp_session(page)
    x = box["x"] + box["width"] / 2
    kind = "touchStart"
    for share in np.linspace(0.85, 0.2, 12):
        point = {"x": x, "y": box["y"] + share * box["height"]}
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        kind = "touchMove"
    expect(page.locator(".verdict")).to_contain_text("The model reads a 1")
    assert page.evaluate("window.scrollY") == 0


def test_pad_under_the_policy_of_visual_studio_code_runs(opened, html):
    policy = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
    policy += " style-src 'unsafe-inline'; img-src data:"
    page = opened(html, policy)
    page.get_by_role("button", name="Show an example").click()
    expect(page.locator(".verdict")).to_contain_text("The model reads a 7")


def test_pad_where_webassembly_is_forbidden_says_what_to_do(opened, html):
    page = opened(html, "script-src 'unsafe-inline'")
    expect(page.get_by_role("alert")).to_have_text(
        "The pad runs the model as WebAssembly, which this viewer does not allow: "
        "open this page in another web browser."
    )


def test_pad_where_scripts_are_forbidden_says_what_to_do(opened, html):
    page = opened(html, java_script_enabled=False)
    expect(page.locator(".draw-digit")).to_have_text(
        "To draw here, run this cell, or open this page in a browser that allows "
        "scripts."
    )


def test_moving_picture_of_the_readme_is_small_and_moves():
    path = runs.REPOSITORY / "images" / "draw_digit.gif"
    assert path.stat().st_size < 1.5e6
    with Image.open(path) as picture:
        assert picture.n_frames > 30
        assert 700 < picture.width < 900


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
