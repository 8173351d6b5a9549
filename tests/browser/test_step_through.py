"""Step through the notebooks in a real JupyterLab, as a reader does."""

import hashlib

import nbformat
import pytest
from hand import ONE, SEVEN, draw, verdict
from page_health import complaints_about
from playwright.sync_api import expect

from helpers.paths import NOTEBOOKS

ALL = sorted(NOTEBOOKS.glob("0*.ipynb"))
SCREEN = {"width": 1280, "height": 900}


def fingerprints():
    return {path.name: hashlib.sha256(path.read_bytes()).digest() for path in ALL}


def run_in_jupyterlab(new_page, path):
    """Open a notebook, clear what is stored in it, and run it."""
    lab = new_page(viewport=SCREEN)
    lab.open(path)
    lab.command("notebook:clear-all-cell-outputs")
    lab.run_all()
    return lab


@pytest.mark.slow
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_step_through_notebook_shows_figures_and_nothing_amiss(new_page, path):
    before = fingerprints()
    lab = run_in_jupyterlab(new_page, f"notebooks/{path.name}")
    assert complaints_about(lab) == []
    assert fingerprints() == before  # JupyterLab saved its copy, not ours
    if path == ALL[-1]:
        draw_on_the_published_model(lab)
    lab.shut_down()


def draw_on_the_published_model(lab):
    pad = lab.page.locator(".draw-digit")
    for digit, strokes in ((1, ONE), (7, SEVEN)):
        draw(pad, strokes)
        expect(verdict(pad)).to_contain_text(f"The model reads a {digit}")
        pad.get_by_role("button", name="Clear").click()


def notebook_of(jupyterlab, name, *cells):
    """Write a notebook below the root; cells that start with # are Markdown."""
    make = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(
        cells=[make[not cell.startswith("#")](cell) for cell in cells], metadata=kernel
    )
    nbformat.write(notebook, jupyterlab.root / name)
    return name


FIGURE = """
from helpers.learn.figures import axes_row, show
figure, ax = axes_row()
show(figure, "Axes without anything on them.")"""


def test_complaints_about_a_good_notebook_are_none(new_page, jupyterlab):
    name = notebook_of(jupyterlab, "good.ipynb", "# Good\n\n$x^2$", "1 + 1", FIGURE)
    lab = run_in_jupyterlab(new_page, name)
    assert complaints_about(lab) == []
    lab.shut_down()


def test_complaints_about_a_bad_notebook_name_each_fault(new_page, jupyterlab):
    name = notebook_of(
        jupyterlab,
        "bad.ipynb",
        "# Bad\n\n![a lost picture](lost.png)\n\n![far](https://example.org/far.png)",
        "import warnings; warnings.warn('old habit')",
        "print(object())",
        "import IPython; IPython.display.Javascript('console.error(\"script\")')",
        "1 / 0",
        FIGURE,
    )
    lab = run_in_jupyterlab(new_page, name)
    complaints = "\n".join(complaints_about(lab))
    for expected in (
        "a picture is not there: a lost picture",
        "the page asked for https://example.org/far.png",
        "cell 2 wrote to stderr",
        "cell 2 shows a warning",
        "the page shows a warning",
        "cell 3 shows a memory address",
        "a script complained: script",
        "cell 5 failed: ZeroDivisionError",
        "cell 6 was not run",
        "0 figures on the page, not 1",
    ):
        assert expected in complaints, complaints
    lab.shut_down()
