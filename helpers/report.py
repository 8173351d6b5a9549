"""What a run has achieved: its pages, their overview, and a table for the terminal.

nbconvert's lab template makes the pages, ``report.html.j2`` extends it. Each page is
one file that loads nothing from anywhere.
"""

import itertools
import re
import textwrap
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from helpers import figures, replacing, runs


def summary(report):
    """Return the figures of a run, as in ``report.json``, as labels and texts."""
    data, model = report["dataset"], report["model"]
    before, after = report["accuracy"]["float"], report["accuracy"]["int8"]
    images = after["images"]
    counts = f"{data['train_images']:,} images for training, {images:,} for testing"
    arena = f"{model['arena_used']:,} used, {model['arena_recommended']:,} recommended"
    return [
        ("dataset", f"{data['name']}: {counts}"),
        ("before quantization", figures.rate(before["correct"], images)),
        ("after quantization", figures.rate(after["correct"], images)),
        ("", figures.change(before["correct"], after["correct"], images)),
        ("measured on", report["runtime"]["name"]),
        ("model", f"{model['bytes']:,} bytes"),
        ("tensor arena, in bytes", arena),
    ]


def closing_text(folder, results):
    """Return what a batch run says at its end.

    `results` are stem, status (kept, done, failed or not run) and seconds of each
    notebook.
    """
    report, published = _report(folder), _published(folder)
    rows = [(stem, f"{status:8}{seconds:6.1f} s") for stem, status, seconds in results]
    rows += [("", ""), *summary(report)] if report else []
    parts = ["\n".join(f"{label:26}{text}".rstrip() for label, text in rows)]
    if results[-1][1] == "done":
        written = [f"{runs.PUBLISHED}/{path}" for path in published]
        written = [folder / p for p in [*written, "notebooks", "report/index.html"]]
        here = [str(path) for path in written if path.exists()]
        parts.append("\n  ".join(["Written:", *here]))
    elif published:
        parts.append(f"{folder / runs.PUBLISHED} holds the last model that passed.")
    if report and report["dataset"]["notice"]:
        lines = textwrap.wrap(f"PLEASE NOTE: {report['dataset']['notice']}", 72)
        parts.append("\n".join(["!" * 78, *(f"!! {x:72} !!" for x in lines), "!" * 78]))
    return "\n\n".join(["", *parts, ""])


def write_page(folder, stem):
    """Write the page of a notebook of the run in `folder`, executed or not."""
    stems = [path.stem for path in sorted(runs.NOTEBOOKS.glob(runs.STEPS))]
    place = stems.index(stem)
    links = [*stems[:place][-1:], "index", *stems[place + 1 :][:1]]
    _write(folder, stem, _notebook(folder, stem), {"links": links})


def write_overview(folder, results, problem):
    """Write the page of the whole run; for `results` see `closing_text`."""
    report = _report(folder)
    executed = [_notebook(folder, stem) for stem, _, _ in results]
    overview = {
        "name": folder.name,
        "problem": problem,
        "notice": report and report["dataset"]["notice"],
        "summary": report and summary(report),
        "pages": [
            (stem, notebook.metadata.title, status, f"{seconds:.1f} s")
            for notebook, (stem, status, seconds) in zip(executed, results, strict=True)
        ],
        "figures": [
            (output, _caption(below))
            for notebook in executed
            for cell, below in itertools.pairwise(notebook.cells)
            if "report-figure" in cell.metadata.get("tags", [])
            for output in cell.outputs
            if "image/png" in output.get("data", {})
        ],
        "files": [] if problem else _published(folder),
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
        template_file=str(Path(__file__).with_name("report.html.j2")),
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    page, _ = exporter.from_notebook_node(notebook, resources)
    page = re.sub(r'href="(0\w+)\.ipynb', r'href="\1.html', page)
    (folder / "report").mkdir(exist_ok=True)
    with replacing(folder / "report" / f"{name}.html") as new:
        new.write_text(page, encoding="utf-8")


def _report(folder):
    is_there = (folder / "06_results.json").exists()
    return runs.Run(folder.name).load("06_results.json") if is_there else {}


def _published(folder):
    files = [p for p in (folder / runs.PUBLISHED).rglob("*") if p.is_file()]
    return sorted(p.relative_to(folder / runs.PUBLISHED).as_posix() for p in files)
