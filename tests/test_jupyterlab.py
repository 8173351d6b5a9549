"""Step through the notebooks in a real JupyterLab, as a reader does."""

import shutil

import browser
import pytest
from browser import THREE, chromium, draw, jupyterlab

from helpers import runs

__all__ = ["chromium", "jupyterlab"]  # fixtures
PATHS = runs.notebooks()
BROKEN_IMAGES = """() => [...document.querySelectorAll(".jp-Notebook img")]
  .filter((image) => !image.naturalWidth).map((image) => image.src.slice(0, 80))"""


def complaints_about(page):
    """Return what would trouble a reader of a notebook that has run."""
    wrong = []
    for cell in browser.cells(page):
        for output in cell.get("outputs", []):
            if "ename" in output or output.get("name") == "stderr":
                wrong.append(output)
    return wrong + page.evaluate(BROKEN_IMAGES)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook_in_jupyterlab_has_nothing_amiss(chromium, jupyterlab, path):
    # A copy, because JupyterLab saves what it has open; on the sample, for speed.
    copy = jupyterlab.folder / "notebooks" / path.name
    if path == PATHS[0]:
        shutil.copytree(runs.REPOSITORY / "images", jupyterlab.folder / "images")
        copy.parent.mkdir()
    text = path.read_text("utf-8").replace('= \\"auto\\"', '= \\"mnist_5k\\"')
    copy.write_text(text, "utf-8")
    page = browser.open_notebook(chromium, jupyterlab, f"notebooks/{path.name}")
    assert browser.run_all(page), complaints_about(page)
    assert complaints_about(page) == []
    if path == PATHS[-1]:
        draw(page.locator(".draw-digit"), THREE)
        page.get_by_text("The model reads a 3").wait_for()
    browser.shut_down(page)


def test_complaints_name_each_fault_of_a_bad_notebook(chromium, jupyterlab):
    codes = [
        "import sys\nprint('old habit', file=sys.stderr)",
        "from IPython.display import HTML\nHTML('<img src=lost.png>')",
        "1 / 0",
    ]
    browser.write_notebook(jupyterlab.folder / "bad.ipynb", codes)
    page = browser.open_notebook(chromium, jupyterlab, "bad.ipynb")
    assert not browser.run_all(page)
    complaints = str(complaints_about(page))
    for fault in ("old habit", "lost.png", "ZeroDivisionError"):
        assert fault in complaints
