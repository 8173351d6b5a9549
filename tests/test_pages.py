"""The pages of a run: whole, without a network, readable on a phone, dark, on paper."""

import base64
import io
import re

import nbformat
import pytest
import stand_ins
from browser import chromium, page_folder
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from helpers import pages, report, runs

__all__ = ["chromium", "page_folder"]  # fixtures
STEMS = runs.STEPS
RESULTS = [report.NotebookResult(stem, "done", 1.25) for stem in STEMS]
CAPTION = "*Figure 1.1. A blue box. The code is* `16`.\n\nMore text."
SCRIPT = "<script>document.body.dataset.pad = 1 < 2 && 'ready';</script>"
PAD = f'<div class="draw-digit">pad</div>{SCRIPT}'
WIDGETS = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
# Each kind of word that the highlighter colours.
CODE = '''@property
class Shape(Exception):
    """Words in three quotes."""

    def area(self, width=2.5):  # a comment
        if width is None or not isinstance(width, int):
            raise ValueError(f"{width!r} \\n")
        return [lambda x: x**2 + 0x1F, True, ...][0]
'''
CPP = """```cpp
#include "a.h"
/* A comment. */
static const int8_t image[784] = {0x1f, -3};
int main() { return image[0] > 'a' ? sizeof(image) : 0; }  // done
```"""
WORDS = ["instructions", "emulated", "processor", "stm32vldiscovery", "microbit"]
NAME = "a_name_of_forty_five_characters_in_one_column"
ROW = f"| {NAME} | [next](02_preprocess_data.ipynb) | `{NAME}` | 5 | 6 |"
TABLE = f"|{'|'.join(WORDS)}|\n|:--|:--|:--|:--|--:|\n{ROW}\n{ROW}"
EMPTY_HEADER = "| a | |\n|:--|:--|\n| 1 | 2 |"
SUMMARY = "<pre>│ <span style='color: #00d7ff'>None</span> │</pre>"  # as Keras has it
TERMINAL = "\x1b[38;5;45mNone\x1b[0m \x1b[1;33mwarning\x1b[0m " + "long line " * 20

# The texts whose contrast is too small: what they are, and the contrast.
PALE = """() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const luminance = ([red, green, blue]) =>
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const background = (element) => {
    for (; element; element = element.parentElement) {
      const found = numbers(getComputedStyle(element).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const pale = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.getClientRects().length) continue;
    const first = luminance(numbers(getComputedStyle(element).color));
    const second = luminance(background(element));
    const [dark, light] = [first, second].sort((a, b) => a - b);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) pale.push([text, contrast.toFixed(2)]);
  }
  return pale;
}"""
# The elements that are wider than the page, or that hide a part of what is in them.
CUT = """() => [...document.querySelectorAll("main *")].filter((element) => {
    const style = getComputedStyle(element);
    const hides = element.scrollWidth > element.clientWidth + 1;
    return hides && style.display !== "inline" && style.overflowX === "hidden";
  }).map((element) => [element.tagName, element.className])"""
SCROLLS = "(element) => element.scrollWidth > element.clientWidth + 1"
NOT_UNDERLINED = """() => [...document.querySelectorAll("a")].filter((link) =>
    !getComputedStyle(link).textDecorationLine.includes("underline")
  ).map((link) => link.textContent)"""


def executed():
    """Return a notebook with every kind of output that the real ones have."""

    def shown(kind, data, tags=(), **about):
        output = new_output("display_data", {kind: data}, metadata={kind: about})
        return new_code_cell(CODE, outputs=[output], metadata={"tags": list(tags)})

    file = io.BytesIO()
    Image.new("RGB", (1728, 600), "#0072B2").save(file, "png")
    figure = base64.b64encode(file.getvalue()).decode()
    printed = new_output("stream", name="stdout", text=TERMINAL)
    cells = [
        new_markdown_cell("# Load\n\nnext: [2](02_preprocess_data.ipynb#end)"),
        shown("image/png", figure, ["report-figure"], width=864, height=300),
        new_markdown_cell(CAPTION),
        shown("image/png", figure, ["strip"], width=864, height=300),
        new_markdown_cell("<details><summary>S</summary>\n\n`x`\n\n</details>"),
        shown("text/html", PAD),
        shown("text/markdown", TABLE),
        shown("text/html", SUMMARY),
        new_markdown_cell(EMPTY_HEADER),
        new_markdown_cell(CPP),
        new_code_cell("y = 'a very long line'  # " + "on " * 80, outputs=[printed]),
        new_markdown_cell("[`Keras`](https://keras.io), [5](05_quantize_model.ipynb)"),
        new_markdown_cell("![three digits](../images/show_data_image.png)"),
    ]
    return new_notebook(cells=cells, metadata={"widgets": WIDGETS})


@pytest.fixture(scope="module")
def folder(page_folder):
    """Return the folder of a run, whose first notebook alone was executed."""
    folder = page_folder / "a"
    (folder / "notebooks").mkdir(parents=True)
    nbformat.write(executed(), folder / "notebooks" / f"{STEMS[0]}.ipynb")
    (folder / "notebooks" / f"{STEMS[1]}.ipynb").write_text('{"cells": [')  # killed
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTIFACTS_DIR", str(folder.parent))
        found = stand_ins.report(10_000, 9905, 9900, "Only <5,000> images")
        runs.Run("a").save("06_results.json", found.to_dict())
        runs.Run("a").publish({"a.tflite": b"1", "himax_we1_evb/model_data.cc": b"2"})
        yield folder


@pytest.fixture(scope="module")
def texts(folder):
    """Return the text of each page by its name."""
    for stem in STEMS:
        pages.write_page(folder, stem)
    pages.write_overview(folder, RESULTS, "")
    return {path.stem: path.read_text("utf-8") for path in folder.glob("report/*.html")}


@pytest.fixture
def opened(chromium, folder, texts):
    """Return a function that opens a page of the run, with all that is folded away."""

    def open_page(name, width=1280, **options):
        viewport = {"width": width, "height": 800}
        page = chromium.new_page(viewport=viewport, offline=True, **options)
        page.goto((folder / "report" / f"{name}.html").as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = 1)")
        return page

    return open_page


BOTH = pytest.mark.parametrize("name", ["index", STEMS[0]])


def test_pages_load_nothing_from_anywhere(texts):
    assert set(texts) == {*STEMS, "index"}
    for page in texts.values():
        loaded = re.findall(
            r"<(?:script|link|img|iframe)[^>]*(?:src|href)=.(.{5})", page
        )
        assert set(loaded) <= {"data:"}
        assert not re.search("cdnjs|unpkg|@import", page)


def test_pages_links_lead_to_pages_and_published_files(texts):
    for page in texts.values():
        for target in re.findall(r'href="([^"#]+)', page):
            is_page = target.removesuffix(".html") in texts
            assert is_page or target.startswith(("https://keras.io", "../published/"))
    assert all('href="index.html"' in texts[stem] for stem in STEMS)
    assert 'href="02_preprocess_data.html#end"' in texts[STEMS[0]]


def test_overview_links_to_the_notebooks_by_their_titles(opened):
    links = opened("index").locator("nav a").all_text_contents()
    titles = []
    for number, path in enumerate(runs.notebooks(), start=1):
        first_line, _, _ = nbformat.read(path, 4).cells[0].source.partition("\n")
        titles.append(f"{number} · {first_line.removeprefix('# ')}")
    assert links == titles
    assert titles[2] == "3 · Create the model"


def test_page_links_to_the_overview_and_as_its_notebook_does(opened):
    page = opened(STEMS[0])
    assert page.locator("nav a").all_text_contents() == ["Overview of this run"]
    page.get_by_role("link", name="2", exact=True).click()
    page.wait_for_url("**/report/02_preprocess_data.html#end")
    page.locator("nav a").click()
    page.wait_for_url("**/report/index.html")


def test_page_keeps_scripts_of_outputs(texts):
    page = texts[STEMS[0]]
    assert SCRIPT in page
    assert page.count("<script>") == 1


def test_page_describes_its_figures(texts):
    captioned, bare, _ = re.findall(r"<img[^>]*>", texts[STEMS[0]])
    assert 'alt="Figure 1.1. A blue box. The code is 16."' in captioned
    assert 'width="864"' in captioned
    assert 'alt=""' in bare


def test_page_holds_the_pictures_of_the_folder_images(texts):
    file = runs.REPOSITORY / "images" / "show_data_image.png"
    data = base64.b64encode(file.read_bytes()).decode()
    assert f'src="data:image/png;base64,{data}"' in texts[STEMS[0]]


def test_page_has_the_title_of_its_notebook(texts):
    assert "<title>1 · Load the dataset</title>" in texts[STEMS[0]]


def test_page_folded_solution_is_markdown(texts):
    solution = r"</summary>\s*<p><code>x</code></p>\s*</details>"
    assert re.search(solution, texts[STEMS[0]])


def test_notebook_that_was_not_run_or_half_written_has_a_page_that_says_so(texts):
    assert all(f"{stem} was not run" in texts[stem] for stem in STEMS[1:])


def test_overview_begins_with_what_was_made_and_the_pad(opened):
    text = opened("index").locator("main, body").last.inner_text()
    order = [
        "This run made an int8 model of 24,784 bytes. It reads handwritten digits, "
        "on test images that it had never seen: "
        "9,900 of 10,000 correct (99.00\u00a0%).",
        "Only <5,000> images",
        "pad",
        "Figures",
        "Figure 1.1. A blue box. The code is 16.",
        "In numbers",
        "accuracy fell by 0.05 percentage points",
        "Notebooks",
        "1 · Load the dataset\tdone\t1.2 s",
        "himax_we1_evb/model_data.cc",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places
    assert places == sorted(places)


def test_overview_shows_only_figures_with_the_tag(texts):
    assert texts["index"].count("<img") == 1
    assert "More text" not in texts["index"]


def test_overview_of_a_failed_run_says_why_and_claims_nothing(folder):
    pages.write_overview(folder, RESULTS, "The gate said <no>.")
    page = (folder / "report" / "index.html").read_text("utf-8")
    assert "The gate said &lt;no&gt;." in page
    assert "This run made" not in page
    assert "../published/" not in page
    pages.write_overview(folder, RESULTS, "")


@BOTH
def test_page_headers_of_tables_are_not_empty(opened, name):
    assert "" not in opened(name).locator("th").all_text_contents()


@BOTH
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_text_has_contrast(opened, name, scheme):
    assert opened(name, color_scheme=scheme).evaluate(PALE) == []


def test_page_follows_the_dark_mode(opened):
    page = opened("index", color_scheme="dark")
    color = page.locator("body").evaluate("(body) => getComputedStyle(body).color")
    background = page.locator("body").evaluate(
        "(body) => getComputedStyle(body).backgroundColor"
    )
    assert sum(map(int, re.findall(r"\d+", color))) > 600
    assert sum(map(int, re.findall(r"\d+", background))) < 150


@BOTH
def test_page_links_are_underlined(opened, name):
    assert opened(name).evaluate(NOT_UNDERLINED) == []


@BOTH
def test_page_on_a_phone_is_no_wider_than_it(opened, name):
    page = opened(name, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(CUT) == []


def test_page_on_a_phone_shrinks_charts_and_scrolls_strips(opened):
    page = opened(STEMS[0], width=390)
    chart, strip, _ = page.locator("img").all()
    assert chart.bounding_box()["width"] <= 390
    assert strip.bounding_box()["width"] >= 640
    assert page.locator(".strip").evaluate(SCROLLS)


def test_page_on_a_phone_scrolls_code_and_wraps_tables(opened):
    page = opened(STEMS[0], width=390)
    code = page.locator(".jp-InputArea pre").last
    printed = page.locator(".jp-OutputArea pre").last
    table = page.locator("table").first
    assert code.evaluate(SCROLLS)
    assert printed.evaluate(SCROLLS)
    assert table.bounding_box()["width"] <= 390 - 2 * 16


def test_page_on_paper_is_light_and_cuts_no_code(opened):
    page = opened(STEMS[0], width=700, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate(CUT) == []
    for code in page.locator("pre").all():
        assert not code.evaluate(SCROLLS)
    assert page.evaluate(PALE) == []
    background = "(body) => getComputedStyle(body).backgroundColor"
    assert page.locator("body").evaluate(background) == "rgb(255, 255, 255)"


def test_page_scripts_run_without_a_network(opened):
    page = opened(STEMS[0])
    assert page.evaluate("document.body.dataset.pad") == "ready"
