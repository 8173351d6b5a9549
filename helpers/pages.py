"""The pages of a run: its notebooks as HTML, and their overview.

nbconvert's lab template makes the pages, ``pages.html.j2`` and ``pages.css`` extend it.
Each page is one file that loads nothing from anywhere.

Tags of cells that matter here: ``report-figure`` (the overview shows it), and ``strip``
(many small pictures, or numbers: on a phone it scrolls, where other figures shrink).
"""

import base64
import itertools
import mimetypes
import re
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from helpers import report as reports
from helpers import runs
from helpers.files import replacing_file

_OVERVIEW = "index"  # the name of the overview's file
_TITLE = re.compile(r"^# (.+)", re.MULTILINE)
_PICTURE_FILE = re.compile(r'src="\.\./images/([\w.]+)"')


def write_page(folder, stem):
    """Write the page of a notebook of the run in `folder`, executed or not.

    The notebook's own links lead to the one before it and the one after it.
    """
    links = {_OVERVIEW: "Overview of this run"}
    _write(folder, stem, _executed(folder, stem), links)


def write_overview(folder, results, problem):
    """Write the page of the whole run; `results` are those of `closing_text`.

    `problem` is the sentence that says why the run failed, or ``""``.
    """
    report = reports.read(folder.name)
    pad = ""
    figures = []
    for result in results:
        notebook = _executed(folder, result.stem)
        figures.extend(_figures(notebook))
        pad = _pad(notebook) or pad
    overview = {
        "problem": problem,
        "headline": "" if problem or not report else _headline(report),
        "notice": report.dataset.notice if report else "",
        "pad": pad,
        "figures": figures,
        "summary": reports.summary(report) if report else [],
        "results": results,
        "files": [] if problem else reports.published_paths(folder),
    }
    links = {stem: _title(stem) for stem in runs.STEPS}
    page = nbformat.v4.new_notebook(metadata={"title": f"Run {folder.name}"})
    _write(folder, _OVERVIEW, page, links, overview)


def _headline(report):
    """Return the sentences that say what a run has made, and how good it is."""
    after = report.accuracy.int8
    rate = reports.rate(after.correct, after.images).replace(" %", "\u00a0%")
    return (
        f"This run made an int8 model of {report.model.bytes:,} bytes. "
        f"It reads handwritten digits, on test images that it had never seen: {rate}."
    )


def _title(stem):
    """Return the title of a notebook with its number: ``3 · Create the model``."""
    notebook = nbformat.read(runs.notebook_path(stem), as_version=4)
    for cell in notebook.cells:
        heading = _TITLE.search(cell.source)
        if cell.cell_type == "markdown" and heading:
            return f"{int(stem[:2])} · {heading[1]}"
    return stem


def _executed(folder, stem):
    """Return an executed notebook with its title, and pictures that are described."""
    try:
        notebook = nbformat.read(folder / "notebooks" / f"{stem}.ipynb", as_version=4)
    except (OSError, ValueError):  # not executed, or killed while it was written
        cell = nbformat.v4.new_markdown_cell(f"# {stem} was not run")
        notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.title = _title(stem)
    for cell, below in itertools.pairwise(notebook.cells):
        for output in _pictures(cell):
            about = output.metadata.setdefault("image/png", {})
            about["caption"] = _caption(below)
            about["alt"] = re.sub(r"[*`]", "", about["caption"])
            about["is_strip"] = "strip" in cell.metadata.get("tags", [])
    return notebook


def _pictures(cell):
    """Return the outputs of a cell that are pictures."""
    outputs = cell.get("outputs", [])
    return [output for output in outputs if "image/png" in output.get("data", {})]


def _caption(below):
    """Return the caption that the cell below a figure starts with, or ``""``."""
    text, _, _ = below.source.partition("\n\n")
    return text if text.startswith("*Figure") else ""


def _figures(notebook):
    """Return the pictures of an executed notebook that the overview shows."""
    figures = []
    for cell in notebook.cells:
        if "report-figure" in cell.metadata.get("tags", []):
            figures.extend(_pictures(cell))
    return figures


def _pad(notebook):
    """Return the HTML of a notebook's drawing pad, or ``""``."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if 'class="draw-digit"' in html:
                return html
    return ""


def _write(folder, name, notebook, links, overview=None):
    """Write a page: a notebook, or the overview instead of it.

    `links` are the titles of pages by the names of their files.
    """
    exporter = HTMLExporter(
        template_file=str(Path(__file__).with_name("pages.html.j2")),
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    style = Path(__file__).with_name("pages.css").read_text("utf-8")
    resources = {"links": links, "overview": overview, "style": style}
    page, _ = exporter.from_notebook_node(notebook, resources)
    page = re.sub(r'href="(0\w+)\.ipynb', r'href="\1.html', page)
    page = _PICTURE_FILE.sub(_embedded, page)
    page = re.sub(r"<th([^>]*)></th>", r"<td\1></td>", page)  # a header must say what
    (folder / "report").mkdir(exist_ok=True)
    with replacing_file(folder / "report" / f"{name}.html") as new:
        new.write_text(page, encoding="utf-8")


def _embedded(match):
    """Return the source of a picture of the folder images/ with the picture in it."""
    path = runs.REPOSITORY / "images" / match[1]
    if not path.is_file():
        return match[0]
    kind, _ = mimetypes.guess_type(path.name)
    data = base64.b64encode(path.read_bytes()).decode()
    return f'src="data:{kind};base64,{data}"'
