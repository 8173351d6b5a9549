"""The pages of a run: whole, without a network, readable on a phone."""

import base64
import io
import re
from pathlib import Path

import nbformat
import pytest
import stand_ins
from browser import chromium
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from helpers import pages, report, runs

__all__ = ["chromium"]  # a fixture
STEMS = [path.stem for path in sorted(runs.NOTEBOOKS.glob("0*.ipynb"))]
RESULTS = [report.NotebookResult(stem, "done", 1.25) for stem in STEMS]
CAPTION = "*Figure 1.1. A blue box. The code is* `16`.\n\nMore text."
SCRIPT = "<script>document.body.dataset.pad = 1 < 2 && 'ready';</script>"
WIDGETS = {"application/vnd.jupyter.widget-state+json": {"state": {}}}


def executed():
    """Return a notebook with every kind of output that the real ones have."""

    def shown(kind, data, **about):
        output = new_output("display_data", {kind: data}, metadata={kind: about})
        return new_code_cell("x = 1  # " + "a long line " * 20, outputs=[output])

    file = io.BytesIO()
    Image.new("RGB", (1728, 600), "#0072B2").save(file, "png")
    figure = base64.b64encode(file.getvalue()).decode()
    table = "| a | b |\n|:--|--:|\n| [next](02_preprocess_data.ipynb) | 2 |"
    cells = [
        new_markdown_cell("# Load <it>\n\nnext: [2](02_preprocess_data.ipynb#end)"),
        shown("image/png", figure, width=864, height=300),
        new_markdown_cell(CAPTION),
        shown("image/png", figure),
        new_markdown_cell("<details><summary>S</summary>\n\n`x`\n\n</details>"),
        shown("text/html", SCRIPT),
        shown("text/markdown", table),
        new_markdown_cell("[Keras](https://keras.io), [5](05_quantize_model.ipynb)"),
    ]
    cells[1].metadata = {"tags": ["report-figure"]}
    return new_notebook(cells=cells, metadata={"widgets": WIDGETS})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of a run, whose first notebook alone was executed."""
    folder = tmp_path_factory.mktemp("artifacts") / "a"
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


def test_pages_load_nothing_and_lead_to_each_other(texts):
    assert set(texts) == {*STEMS, "index"}
    for page in texts.values():
        loaded = re.findall(
            r"<(?:script|link|img|iframe)[^>]*(?:src|href)=.(.{5})", page
        )
        assert set(loaded) <= {"data:"}
        assert not re.search("cdnjs|unpkg|@import", page) and 'name="viewport"' in page
        for target in re.findall(r'href="([^"#]+)', page):
            is_page = target.removesuffix(".html") in texts
            assert is_page or target.startswith(("https://keras.io", "../published/"))
    assert all('href="index.html"' in texts[stem] for stem in STEMS)
    assert 'href="02_preprocess_data.html#end"' in texts[STEMS[0]]


def test_page_keeps_scripts_of_outputs_and_names_its_figures(texts):
    page = texts[STEMS[0]]
    assert SCRIPT in page and page.count("<script>") == 1
    captioned, bare = re.findall(r"<img[^>]*>", page)
    assert 'alt="Figure 1.1. A blue box. The code is 16."' in captioned
    assert 'width="864"' in captioned and 'alt=""' in bare
    assert re.search(r"</summary>\s*<p><code>x</code></p>\s*</details>", page)
    assert "<title>Load &lt;it&gt;</title>" in page


def test_notebook_that_was_not_run_or_half_written_has_a_page_that_says_so(texts):
    assert all(f"{stem} was not run" in texts[stem] for stem in STEMS[1:])


def test_overview_shows_notice_figures_and_files_or_why_the_run_failed(folder, texts):
    page = texts["index"]
    assert "Only &lt;5,000&gt; images" in page and "fell by 0.05 p" in page
    assert "9,900 of 10,000 correct (99.00 %)" in page and "1.2 s" in page
    assert page.count("<img") == 1 and "More text" not in page
    assert re.search(r"<figcaption>.*A blue box", page, re.DOTALL)
    assert "../published/himax_we1_evb/model_data.cc" in page
    pages.write_overview(folder, RESULTS, "The gate said <no>.")
    page = (folder / "report" / "index.html").read_text("utf-8")
    assert "The gate said &lt;no&gt;." in page and "../published/" not in page


def test_closing_text_has_a_frame_and_paths_that_exist(folder):
    text = report.closing_text(folder, RESULTS)
    written = text.partition("Written:\n")[2].partition("\n\n")[0].split()
    assert len(written) >= 4 and all(Path(path).exists() for path in written)
    assert "!! PLEASE NOTE: Only <5,000> images" in text
    failed = [*RESULTS[:-1], report.NotebookResult(STEMS[-1], "failed", 1.0)]
    assert "holds the last model that passed" in report.closing_text(folder, failed)


def test_pages_are_readable_on_a_phone_without_a_network(folder, texts, chromium):
    page, seen = chromium.new_page(viewport={"width": 390, "height": 800}), []
    page.on("request", lambda request: seen.append(request.url))
    page.on("pageerror", lambda error: seen.append(str(error)))
    for name in ("index", STEMS[0]):
        page.goto((folder / "report" / f"{name}.html").as_uri())
        assert page.evaluate("document.body.scrollWidth") <= 390
        # Text of 8 points in a figure of 864 pixels then has 8 pixels and more.
        assert page.evaluate("document.querySelector('img').width") >= 640
    assert page.evaluate("document.body.dataset.pad") == "ready"
    assert all(url.startswith(("file:", "data:")) for url in seen)
