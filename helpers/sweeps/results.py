"""The rows of a sweep: one a run, kept beside its files, gathered in ``sweep.csv``."""

import contextlib
import csv
import io
import json
import time

from helpers.artifacts import PUBLISHED
from helpers.errors import TutorialError
from helpers.files import make_folder, new_folder, write_atomically
from helpers.sealed import sealed_files
from helpers.sweeps.bundles import unpack
from helpers.sweeps.grid import RECIPE

DONE, FAILED = "done", "failed"
CAMERA = "camera: "  # prefix of the columns with accuracies under effects of a camera
# What a single run with the same parameters, data and threads has just the same.
HAPPENSTANCE = (
    "run",
    "notebooks_run",
    "attempts",
    "seconds",
    "started",
    "worker",
)
_ROW = "row.json"
_SHARE = 0.05  # of its time that a sweep may spend on writing the table anew


def results_of(report):
    """Return the figures of a published report as columns of a row.

    Parameters
    ----------
    report : dict
        A run's ``report.json``; what it lacks is left out.

    Returns
    -------
    dict
        Accuracies are in percent.
    """
    dataset, model = report.get("dataset") or {}, report.get("model") or {}
    runtime = report.get("board_runtime") or {}
    accuracy = {
        kind: _percent(found)
        for kind, found in (report.get("accuracy") or {}).items()
        if isinstance(found, dict) and found.get("images")
    }
    drop = None
    if {"float", "board"} <= set(accuracy):
        drop = round(accuracy["float"] - accuracy["board"], 4)
    row = {
        "dataset_name": dataset.get("name"),
        "train_images": dataset.get("train_images"),
        "test_images": dataset.get("test_images"),
        "float_accuracy": accuracy.get("float"),
        "litert_accuracy": accuracy.get("litert"),
        "board_accuracy": accuracy.get("board"),
        "accuracy_drop": drop,
        "board_runtime": runtime.get("name"),
        "model_bytes": model.get("bytes"),
        "arena_bytes": model.get("arena_bytes"),
        "recommended_arena_bytes": model.get("recommended_arena_bytes"),
        "operators": " ".join(model.get("operators") or []) or None,
        "model_sha256": model.get("sha256"),
    }
    for effect in report.get("camera") or []:
        row[CAMERA + effect["effect"]] = _percent(effect)
    return {name: value for name, value in row.items() if value is not None}


def row_of(identity, planned, answer, report, *, attempts, threads):
    """Return the row of a run that has ended.

    Parameters
    ----------
    identity : str
        See `helpers.sweeps.identity.run_id`.
    planned : helpers.sweeps.grid.Planned
    answer : dict
        What `helpers.sweeps.one_run.do_run` returned.
    report : dict
        What the run published, empty if it failed.
    attempts : int
        How often it was begun in this sweep.
    threads : int
        It computed with.

    Returns
    -------
    dict
        Times are in seconds; what is unknown is left out.
    """
    begun = time.gmtime(answer.get("started"))
    return {
        "run": identity,
        "status": FAILED if answer["problem"] else DONE,
        "error": answer["problem"],
        **_asked(planned),
        **results_of(report),
        "threads": threads,
        # Those before them were done for another run already.
        "notebooks_run": " ".join(name[:2] for name in answer.get("notebooks", {})),
        "attempts": attempts,
        "seconds": round(answer.get("seconds", 0.0), 2),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", begun),
        "worker": answer.get("worker", ""),
    }


def as_asked_now(row, planned):
    """Return the row of a run that ended earlier, as this grid asks for that run.

    Another grid may have named a recipe, or found the same images elsewhere.
    """
    return {n: v for n, v in row.items() if n != RECIPE} | _asked(planned)


def _asked(planned):
    recipe = {RECIPE: planned.asked[RECIPE]} if RECIPE in planned.asked else {}
    return recipe | planned.values


def keep_run(runs, identity, planned, answer, **facts):
    """Write what a run returned, and its row, in one step.

    Parameters
    ----------
    runs : Path
        Folder with a folder for each run.
    identity, planned, answer, **facts
        See `row_of`.

    Returns
    -------
    dict
        The row.

    Raises
    ------
    TutorialError
        If what was published arrived damaged, or cannot be written.
    """
    make_folder(runs)
    with new_folder(runs / identity) as folder:
        unpack(answer["files"], folder)
        report = {}
        if not answer["problem"]:
            sealed_files(folder / PUBLISHED)
            report = json.loads((folder / PUBLISHED / "report.json").read_bytes())
        row = row_of(identity, planned, answer, report, **facts)
        (folder / _ROW).write_text(json.dumps(row, indent=1), encoding="utf-8")
    return row


def kept_row(runs, identity):
    """Return the row of a run that ended earlier, or None if there is none to use."""
    try:
        row = json.loads((runs / identity / _ROW).read_bytes())
        whole = row["run"] == identity and isinstance(row["seconds"], int | float)
        return row if whole and row["status"] in (DONE, FAILED) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


class Results:
    """The rows of a sweep in the order of its grid, written as they come.

    Parameters
    ----------
    out : Path
        The sweep's folder.
    order : list of str
        Of the runs.
    """

    def __init__(self, out, order):
        self.out, self.order, self.rows = out, order, {}
        self._next = 0.0

    def add(self, row):
        """Take a row, and write the table unless that was done a moment ago.

        The row is safe already: `keep_run` has written it. So the table may wait for
        its time, or for a spreadsheet that keeps others from changing it on Windows.
        """
        self.rows[row["run"]] = row
        if time.monotonic() >= self._next:
            begun = time.monotonic()
            with contextlib.suppress(TutorialError):
                self.write()
            took = time.monotonic() - begun
            self._next = time.monotonic() + took / _SHARE - took

    def ordered(self):
        """Return the rows there are, in the order of the grid."""
        return [self.rows[run] for run in self.order if run in self.rows]

    def write(self):
        """Write ``sweep.csv``."""
        text = as_csv(self.ordered())
        write_atomically(self.out / "sweep.csv", text.encode("utf-8"))


def as_csv(rows):
    """Return rows as a table; a column for whatever any row has."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows({n: _spreadsheet_safe(v) for n, v in r.items()} for r in rows)
    return stream.getvalue()


def columns(rows):
    """Return the names of all columns: those of the fullest row lead."""
    names = {}
    for row in sorted(rows, key=len, reverse=True):
        names |= dict.fromkeys(row)
    return list(names)


def _spreadsheet_safe(value):
    # A spreadsheet would compute a text that begins like a formula.
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@")
    return f"'{value}" if risky else value


def _percent(found):
    return round(100 * found["correct"] / found["images"], 4)
