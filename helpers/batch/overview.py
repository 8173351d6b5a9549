"""The page of the whole run, ``report/index.html``."""

from pathlib import Path

import jinja2
import nbformat

from helpers.artifacts import PUBLISHED
from helpers.batch.pages import TEMPLATES, markdown_to_html, style, title
from helpers.batch.summary import notice, published_report, summary_rows
from helpers.errors import TutorialError
from helpers.files import make_folder, write_atomically
from helpers.paths import shown
from helpers.sealed import sealed_files

TAG = "report-figure"  # of the cells whose picture belongs on this page
_COMPLETE = ("done", "kept")


def write_overview(job):
    """Write the overview of a run, and a page for each notebook that did not run.

    Parameters
    ----------
    job : dict
        ``overview``: the run's folder; ``report``: folder of the pages; ``results``:
        notebook, status and seconds of each notebook; ``problem``: a sentence or an
        empty text.
    """
    folder, report = Path(job["overview"]), Path(job["report"])
    if not folder.exists():
        raise TutorialError(f"{shown(folder)} is gone; run this again.")
    make_folder(report)
    results = job["results"]
    complete = all(result["status"] in _COMPLETE for result in results)
    executed = {r["notebook"]: _executed(folder, r["notebook"]) for r in results}
    for result in results:
        if executed[result["notebook"]] is None:
            page = _page(
                heading=f"{result['notebook']} was not run",
                problem=job["problem"] or "The run ended before this notebook.",
                back=True,
            )
            write_atomically(report / f"{result['notebook']}.html", page.encode())
    published = published_report(folder) if complete else {}
    page = _page(
        heading=f"Run {folder.name}",
        problem=job["problem"],
        notice=notice(published),
        rows=summary_rows(published),
        notebooks=_links(results, executed),
        figures=[f for found in executed.values() if found for f in figures(found)],
        files=sorted(sealed_files(folder / PUBLISHED)) if published else [],
    )
    write_atomically(report / "index.html", page.encode())


def figures(notebook):
    """Yield the pictures of the cells tagged ``report-figure``.

    Parameters
    ----------
    notebook : NotebookNode
        Executed.

    Yields
    ------
    dict
        ``png`` (base64), ``alt`` and ``caption`` (HTML); the caption is the Markdown
        right under the cell.
    """
    followers = [*notebook.cells[1:], None]
    for cell, below in zip(notebook.cells, followers, strict=True):
        if TAG not in cell.metadata.get("tags", []):
            continue
        is_caption = below is not None and below.cell_type == "markdown"
        source = below.source.strip() if is_caption else ""
        caption = source.split("\n\n")[0] if source.startswith("*Figure") else ""
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                details = output.metadata.get("image/png", {})
                yield {
                    "png": output.data["image/png"].replace("\n", ""),
                    "alt": details.get("alt", "") or caption.strip("*"),
                    "caption": markdown_to_html(caption),
                }


def _executed(folder, stem):
    """Return the executed notebook, or None if it was not executed."""
    path = folder / "notebooks" / f"{stem}.ipynb"
    if path.exists():
        return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    return None


def _links(results, executed):
    links = []
    for result in results:
        stem, status = result["notebook"], result["status"]
        if status in ("done", "failed"):
            status += f", {result['seconds']:.1f} s"
        known = executed[stem]
        heading = title(known, stem) if known else stem
        links.append({"stem": stem, "title": heading, "status": status})
    return links


def _page(**values):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True
    )
    return environment.get_template("overview.html.j2").render(style=style(), **values)
