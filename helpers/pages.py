"""The pages of a run: its notebooks as HTML, and their overview.

nbconvert's lab template makes the pages, ``pages.html.j2`` and ``pages.css`` extend it.
Each page is one file that loads nothing from anywhere.

Tags of cells that matter here: ``report-figure`` (the overview shows it), and ``strip``
(a row of many small pictures: on a phone it scrolls, where other figures shrink).
"""

import base64
import itertools
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from helpers import report as reports
from helpers import runs
from helpers.files import replacing_file

_TITLE = re.compile(r"^# (.+)", re.MULTILINE)
_PICTURE_FILE = re.compile(r'src="\.\./images/([\w.]+)"')


@dataclass
class Page:
    """A page of the run, for links to it: file name without ending, and title."""

    stem: str
    title: str


@dataclass
class NotebookRow:
    """A row of the overview: a notebook's page, its status, and the time it took."""

    stem: str
    title: str
    status: str
    seconds: str


@dataclass
class Figure:
    """A notebook's output with a picture, and its caption in Markdown."""

    output: dict
    caption: str


@dataclass
class Overview:
    """What the overview of a run shows; texts that are missing are ``""``."""

    name: str
    problem: str
    headline: str
    notice: str
    pad: str
    figures: list
    summary: list
    notebooks: list
    files: list


OVERVIEW = Page("index", "Overview of this run")


def write_page(folder, stem):
    """Write the page of a notebook of the run in `folder`, executed or not."""
    pages = _notebook_pages()
    place = runs.STEPS.index(stem)
    links = [OVERVIEW]
    if place > 0:
        links.insert(0, pages[place - 1])
    if place + 1 < len(pages):
        links.append(pages[place + 1])
    _write(folder, stem, _executed(folder, stem), links)


def write_overview(folder, results, problem):
    """Write the page of the whole run; `results` are those of `closing_text`.

    `problem` is the sentence that says why the run failed, or ``""``.
    """
    report = reports.read(folder)
    overview = Overview(
        name=folder.name,
        problem=problem,
        headline="" if problem or not report else _headline(report),
        notice=report.dataset.notice if report else "",
        pad="",
        figures=[],
        summary=reports.summary(report) if report else [],
        notebooks=[],
        files=[] if problem else reports.published_files(folder),
    )
    for result in results:
        notebook = _executed(folder, result.stem)
        title = _numbered(result.stem, notebook.metadata.title)
        seconds = f"{result.seconds:.1f} s"
        row = NotebookRow(result.stem, title, result.status, seconds)
        overview.notebooks.append(row)
        overview.figures += _figures(notebook)
        overview.pad = _pad(notebook) or overview.pad
    page = nbformat.v4.new_notebook(metadata={"title": f"Run {folder.name}"})
    _write(folder, OVERVIEW.stem, page, _notebook_pages(), overview)


def _headline(report):
    """Return the sentences that say what a run has made, and how good it is."""
    after = report.accuracy.int8
    rate = reports.rate(after.correct, after.images).replace(" %", "\u00a0%")
    return (
        f"This run made an int8 model of {report.model.bytes:,} bytes. "
        f"It reads handwritten digits, on test images that it had never seen: {rate}."
    )


def _notebook_pages():
    """Return the pages of all notebooks, with their titles, in order."""
    pages = []
    for stem in runs.STEPS:
        notebook = nbformat.read(runs.notebook_path(stem), as_version=4)
        title = _title(notebook, otherwise=stem)
        pages.append(Page(stem, _numbered(stem, title)))
    return pages


def _numbered(stem, title):
    """Return a title with the number of its notebook: ``3 · Create the model``."""
    return f"{int(stem[:2])} · {title}"


def _title(notebook, otherwise):
    """Return the first heading of a notebook."""
    for cell in notebook.cells:
        heading = _TITLE.search(cell.source)
        if cell.cell_type == "markdown" and heading:
            return heading[1]
    return otherwise


def _executed(folder, stem):
    """Return an executed notebook with its title, and pictures that are described."""
    try:
        notebook = nbformat.read(folder / "notebooks" / f"{stem}.ipynb", as_version=4)
    except (OSError, ValueError):  # not executed, or killed while it was written
        cell = nbformat.v4.new_markdown_cell(f"# {stem} was not run")
        notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.title = _title(notebook, stem)
    for cell, below in itertools.pairwise(notebook.cells):
        for output in _pictures(cell):
            about = output.metadata.setdefault("image/png", {})
            about["alt"] = re.sub(r"[*`]", "", _caption(below))
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
    """Return the figures of a notebook that the overview shows."""
    figures = []
    for cell, below in itertools.pairwise(notebook.cells):
        if "report-figure" in cell.metadata.get("tags", []):
            for output in _pictures(cell):
                figures.append(Figure(output, _caption(below)))
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
    """Write a page: a notebook, or the overview instead of it."""
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
