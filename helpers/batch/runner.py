"""Run the notebooks of the series, one after the other, and keep what they show."""

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from helpers import locks
from helpers.batch import record
from helpers.batch.kernels import Kernels
from helpers.batch.page_worker import Pages
from helpers.batch.screen import Lines, screen
from helpers.errors import TutorialError
from helpers.files import (
    explained,
    make_folder,
    remove_folder,
    scratch_folder,
    write_atomically,
)
from helpers.parameters import notebook_parameters, notebook_paths
from helpers.paths import run_folder

DONE, KEPT, FAILED, NOT_RUN = "done", "kept", "failed", "not run"


@dataclass
class Result:
    """How one notebook ended.

    Attributes
    ----------
    notebook : str
        Its stem.
    status : str
        ``done``, ``kept`` from an earlier run, ``failed`` or ``not run``.
    seconds : float
    """

    notebook: str
    status: str = NOT_RUN
    seconds: float = 0.0


@dataclass
class Outcome:
    """How a batch run ended.

    Attributes
    ----------
    folder : Path
        The run's folder.
    results : list of Result
        One for each notebook.
    seconds : float
    problem : str
        One sentence on what went wrong; empty if all went well.
    """

    folder: Path
    results: list
    seconds: float = 0.0
    problem: str = ""

    @property
    def complete(self):
        """Whether every notebook has succeeded, now or before."""
        return all(result.status in (DONE, KEPT) for result in self.results)


def run_notebooks(
    values,
    stopping,
    *,
    resume=False,
    own_data=True,
    timeout=None,
    notebooks=None,
    make_pages=True,
):
    """Run notebooks, one after the other.

    Parameters
    ----------
    values : dict
        Value by name of every parameter, checked.
    stopping : helpers.batch.stopping.Stopping
        Its signals are handled.
    resume : bool, optional
        Whether to keep the notebooks whose last execution still holds.
    own_data : bool, optional
        Whether the images are read here. If not, what was made of them was sent, and
        holds whatever file the dataset's name means here.
    timeout : int, optional
        Seconds that one cell may take.
    notebooks : list of Path, optional
        The whole series unless given.
    make_pages : bool, optional
        Whether to make the pages of the run.

    Returns
    -------
    Outcome

    Raises
    ------
    TutorialError
        If the run cannot start, as when another one owns its folder.
    """
    started = time.monotonic()
    notebooks = notebooks or notebook_paths()
    parameters = {
        notebook: {name: values[name] for name in notebook_parameters(notebook)}
        for notebook in notebooks
    }
    folder = run_folder(values["save_model_name"])
    make_folder(folder)
    outcome = Outcome(folder, [Result(notebook.stem) for notebook in notebooks])
    with locks.batch(folder), scratch_folder(folder) as scratch:
        first = 0
        if resume:
            first = record.first_to_run(folder, notebooks, parameters, own_data)
        _clear(folder, notebooks, first)
        for result in outcome.results[:first]:
            result.status = KEPT
        with _crew(notebooks, first, folder, scratch, stopping, make_pages) as crew:
            for place in range(first, len(notebooks)):
                notebook, result = notebooks[place], outcome.results[place]
                crew.view.start(place + 1, notebook.stem)
                begun = time.monotonic()
                outcome.problem = _run_one(
                    notebook, parameters[notebook], folder, crew, timeout
                )
                stopping.check()
                result.seconds = time.monotonic() - begun
                result.status = FAILED if outcome.problem else DONE
                crew.view.finish(result.status, result.seconds)
                if outcome.problem:
                    break
            problem = crew.pages.finish(outcome) if crew.pages else ""
            outcome.problem = outcome.problem or problem
    outcome.seconds = time.monotonic() - started
    return outcome


@dataclass
class _Crew:
    """Who works for a run: the screen, the kernels, the page maker."""

    view: Lines
    kernels: Kernels
    pages: Pages | None


@contextlib.contextmanager
def _crew(notebooks, first, folder, scratch, stopping, make_pages):
    """Start what a run needs, and end it however the block ends."""
    with contextlib.ExitStack() as stack:
        view = screen(notebooks)
        stack.callback(view.close)
        pages = None
        with stopping.held():
            kernels = Kernels(notebooks[first:], scratch, stopping)
            stack.callback(kernels.close)
            stopping.at_once.append(kernels.kill)
            if make_pages:
                pages = Pages(folder / "report", notebooks, scratch)
                stack.callback(pages.kill)
                stopping.at_once.append(pages.kill)
        kernels.prepare()
        for notebook in notebooks[:first] if pages else []:
            if not (folder / "report" / f"{notebook.stem}.html").exists():
                pages.page(record.executed_path(folder, notebook))
        yield _Crew(view, kernels, pages)


def _run_one(notebook, parameters, folder, crew, timeout):
    """Run one notebook and keep its executed copy; return what went wrong."""
    from helpers.batch.engine import Failed, execute

    problem = ""
    try:
        with explained("work in", folder):
            # Before the notebook runs: what changes meanwhile makes it run again.
            facts = record.depends_on(notebook, parameters)
            kernel = crew.kernels.take(notebook)
            try:
                executed = execute(
                    notebook,
                    _changed(notebook, parameters),
                    kernel,
                    on_progress=crew.view.inside,
                    timeout=timeout,
                )
                record.record(executed, notebook, facts, folder)
            except Failed as failure:
                executed = failure.notebook
                problem = (
                    f"Notebook {notebook.stem} failed in "
                    f"{_cell(executed, failure.cell_index)}: "
                    f"{_one_line(failure.reason)}"
                )
            kernel.retire()
            _keep(executed, record.executed_path(folder, notebook))
        if crew.pages:
            crew.pages.page(record.executed_path(folder, notebook))
    except TutorialError as error:
        problem = problem or str(error)
    return problem


def _changed(notebook, parameters):
    """Return the parameters that differ from what the notebook says itself."""
    declared = notebook_parameters(notebook)
    return {n: value for n, value in parameters.items() if value != declared[n].default}


def _keep(executed, path):
    make_folder(path.parent)
    text = json.dumps(executed, indent=1, ensure_ascii=False, sort_keys=True)
    write_atomically(path, text.encode())


def _cell(executed, index):
    """Name a cell: its number, the heading above it, its first line."""
    heading = ""
    for cell in executed.cells[: index + 1]:
        if cell.cell_type == "markdown":
            titles = [ln for ln in cell.source.splitlines() if ln.startswith("#")]
            heading = titles[-1].lstrip("# ") if titles else heading
    numbers = [i for i, c in enumerate(executed.cells) if c.cell_type == "code"]
    place = numbers.index(index) + 1 if index in numbers else index + 1
    lines = [ln for ln in executed.cells[index].source.splitlines() if ln.strip()]
    under = f" under “{heading}”" if heading else ""
    first = f" (`{lines[0].strip()[:60]}`)" if lines else ""
    return f"code cell {place} of {len(numbers)}{under}{first}"


def _one_line(text):
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[0] if lines else "no reason was given"


def _clear(folder, notebooks, first):
    """Remove what an older run shows, so that nothing of it looks like this one's."""
    report, executed = folder / "report", folder / "notebooks"
    if first == 0:
        remove_folder(report)
        remove_folder(executed)
        return
    # Backwards: whenever this is killed, what is left is the beginning of a run.
    later = [n for n in reversed(notebooks[first:])]
    for path in [
        report / "index.html",
        *(report / f"{notebook.stem}.html" for notebook in later),
        *(record.executed_path(folder, notebook) for notebook in later),
    ]:
        with explained("remove", path):
            path.unlink(missing_ok=True)
