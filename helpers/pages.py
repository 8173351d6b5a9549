"""The pages of a run: its notebooks as HTML, and their overview.

nbconvert's lab template makes the pages, ``pages.html.j2`` extends it. Each page is
one file that loads nothing from anywhere.
"""

import itertools
import re
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from helpers import report as reports
from helpers import runs
from helpers.files import replacing_file


def write_page(folder, stem):
    """Write the page of a notebook of the run in `folder`, executed or not."""
    place = runs.STEPS.index(stem)
    links = [*runs.STEPS[:place][-1:], "index", *runs.STEPS[place + 1 :][:1]]
    _write(folder, stem, _notebook(folder, stem), {"links": links})


def write_overview(folder, results, problem):
    """Write the page of the whole run; `results` are those of `closing_text`."""
    report = reports.read(folder)
    executed = [_notebook(folder, result.stem) for result in results]
    overview = {
        "name": folder.name,
        "problem": problem,
        "notice": report and report.dataset.notice,
        "summary": reports.summary(report) if report else [],
        "pages": [
            (done.stem, page.metadata.title, done.status, f"{done.seconds:.1f} s")
            for page, done in zip(executed, results, strict=True)
        ],
        "figures": [
            (output, _caption(below))
            for notebook in executed
            for cell, below in itertools.pairwise(notebook.cells)
            if "report-figure" in cell.metadata.get("tags", [])
            for output in cell.outputs
            if "image/png" in output.get("data", {})
        ],
        "files": [] if problem else reports.published_files(folder),
    }
    page = nbformat.v4.new_notebook(metadata={"title": f"Run {folder.name}"})
    _write(folder, "index", page, {"overview": overview})


def _notebook(folder, stem):
    """Return an executed notebook with its title, and alternative texts of figures."""
    try:
        notebook = nbformat.read(folder / "notebooks" / f"{stem}.ipynb", as_version=4)
    except (OSError, ValueError):  # not executed, or killed while it was written
        cell = nbformat.v4.new_markdown_cell(f"# {stem} was not run")
        notebook = nbformat.v4.new_notebook(cells=[cell])
    title = re.search(r"^# (.+)", "\n".join(c.source for c in notebook.cells), re.M)
    notebook.metadata.title = title[1] if title else stem
    for cell, below in itertools.pairwise(notebook.cells):
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                about = output.metadata.setdefault("image/png", {})
                about["alt"] = re.sub(r"[*`]", "", _caption(below))
    return notebook


def _caption(below):
    text = below.source.partition("\n\n")[0]
    return text if text.startswith("*Figure") else ""


def _write(folder, name, notebook, resources):
    exporter = HTMLExporter(
        template_file=str(Path(__file__).with_name("pages.html.j2")),
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    page, _ = exporter.from_notebook_node(notebook, resources)
    page = re.sub(r'href="(0\w+)\.ipynb', r'href="\1.html', page)
    (folder / "report").mkdir(exist_ok=True)
    with replacing_file(folder / "report" / f"{name}.html") as new:
        new.write_text(page, encoding="utf-8")
