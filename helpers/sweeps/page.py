"""``sweep.html``: the runs of a sweep compared, in one file that needs no network."""

from pathlib import Path

import jinja2

from helpers.batch.command_line import declared_parameters
from helpers.batch.pages import style
from helpers.files import write_atomically
from helpers.sweeps.charts import MOST_BARS, seeds_chart, size_chart, time_chart
from helpers.sweeps.comparison import configurations, varied
from helpers.sweeps.grid import RECIPE
from helpers.sweeps.results import CAMERA, DONE, FAILED

MOST_ROWS = 1_000  # in the page's table; a browser on a phone has to lay it out
_TEMPLATES = Path(__file__).with_name("templates")
_FIGURES = {
    "float_accuracy": "float (%)",
    "litert_accuracy": "LiteRT (%)",
    "board_accuracy": "board (%)",
    "accuracy_drop": "drop (points)",
    "model_bytes": "model (bytes)",
    "arena_bytes": "arena (bytes)",
    "seconds": "seconds",
}


def write_page(path, rows, total):
    """Write the page of a sweep.

    Parameters
    ----------
    path : Path
    rows : list of dict
        Of the runs that have ended, see `helpers.sweeps.results.row_of`.
    total : int
        Runs of the sweep.
    """
    write_atomically(path, page(rows, total).encode("utf-8"))


def page(rows, total):
    """Return the page of a sweep as HTML; parameters as for `write_page`."""
    names = list(declared_parameters())
    done = [r for r in rows if r["status"] == DONE and "board_accuracy" in r]
    failed = [row for row in rows if row["status"] == FAILED]
    compared = configurations(done, names)
    best = sorted(rows, key=lambda row: -row.get("board_accuracy", -1.0))[:MOST_ROWS]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("sweep.html.j2").render(
        style=style(),
        total=total,
        done=len([row for row in rows if row["status"] == DONE]),
        failed=failed[:50],
        failures=len(failed),
        facts=_facts(done, names),
        charts=_charts(compared) if done else [],
        compared=[_compared(one) for one in compared[:MOST_ROWS]],
        telling=list(compared[0].values) if compared else [],
        cut=len(rows) - len(best),
        **_table(best, [RECIPE, *names]),
    )


def _charts(compared):
    sized = all("model_bytes" in row for one in compared for row in one.rows)
    more = len(compared) > MOST_BARS
    cut = f" Of {len(compared)}, the {MOST_BARS} most accurate." if more else ""
    charts = [
        (
            seeds_chart(compared),
            "Accuracy of each configuration. Large dots are means, lines the standard "
            "deviation over the seeds, small dots the single runs. Differences smaller "
            f"than the lines may be chance.{cut}",
        ),
        (
            time_chart(compared),
            "Time of a run, start of its process included. Runs that went on from the "
            f"training of another are shorter.{cut}",
        ),
    ]
    if sized:
        charts.insert(
            0,
            (
                size_chart(compared),
                "Accuracy against the bytes of the model. Diamonds on the line are the "
                "Pareto front: every other run is beaten by one of them, or equalled.",
            ),
        )
    return charts


def _compared(one):
    deviation = one.deviation("board_accuracy")
    accuracy = f"{one.mean('board_accuracy'):.2f}"
    drop = one.mean("accuracy_drop") if "accuracy_drop" in one.rows[0] else None
    size = {row["model_bytes"] for row in one.rows if "model_bytes" in row}
    return {
        "values": list(one.values.values()),
        "runs": len(one.rows),
        "accuracy": accuracy if deviation is None else f"{accuracy} ± {deviation:.2f}",
        "order": one.mean("board_accuracy"),
        "drop": "" if drop is None else f"{drop:.2f}",
        "bytes": " to ".join(f"{n:,}" for n in sorted({min(size), max(size)}))
        if size
        else "",
        "size": min(size, default=0),
        "seconds": f"{one.mean('seconds'):.1f}",
    }


def _facts(rows, names):
    """Return what all successful runs have in common, as labels and texts."""
    facts = []
    for label, column in (
        ("Dataset", "dataset_name"),
        ("Test images", "test_images"),
        ("Board's runtime", "board_runtime"),
        ("Threads of a run", "threads"),
    ):
        found = sorted({str(row[column]) for row in rows if column in row})
        if found:
            facts.append((label, ", ".join(found)))
    telling = set(varied(rows, names))
    same = [f"{n}={rows[0][n]}" for n in names if rows and n in set(rows[0]) - telling]
    return [*facts, ("The same in all", ", ".join(same))] if same else facts


def _table(rows, names):
    telling = varied(rows, names)
    effects = list(
        dict.fromkeys(name for row in rows for name in row if name.startswith(CAMERA))
    )
    figures = [name for name in _FIGURES if any(name in row for row in rows)]
    head = ["run", "status", *telling, *(_FIGURES[n] for n in figures)]
    head += [name.removeprefix(CAMERA) for name in effects]
    body = [
        {
            "run": row["run"],
            "link": row["status"] == DONE,
            "status": row["status"],
            "cells": [_cell(row.get(name)) for name in [*telling, *figures, *effects]],
        }
        for row in rows
    ]
    return {"head": head, "body": body}


def _cell(value):
    """Return a value as (text, number to sort by or None)."""
    if value is None:
        return "", None
    if isinstance(value, bool | str):
        return str(value), None
    if isinstance(value, int):
        return (f"{value:,}" if value >= 10_000 else str(value)), value
    return f"{value:g}" if abs(value) < 0.01 else f"{round(value, 4):g}", value
