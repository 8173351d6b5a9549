"""A sweep gives what single runs give: the real notebooks on the 5,000 images."""

import csv
import itertools
import json
import subprocess
import sys

import pytest
import stand_ins

from helpers.sweeps.process import thread_settings
from helpers.sweeps.results import HAPPENSTANCE, as_csv, results_of

GRID = {
    "head": ["conv", "dense"],
    "seed": ["0", "1", "2"],
    "max_accuracy_drop": ["0.0", "5.0"],  # the first fails whatever loses anything
}
ALL = {"epochs": "1", "dataset": "mnist_5k"}


def start(module, *arguments, **environment):
    path = {"PYTHONPATH": str(stand_ins.REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=thread_settings(1) | path | environment,
    )


def single_run(values, folder):
    """Return the row of one ordinary run, as the table has it."""
    options = [f"--{name.replace('_', '-')}={v}" for name, v in values.items()]
    run = start("helpers.train_and_quantize", *options, ARTIFACTS_DIR=str(folder))
    published = folder / "mnist_cnn" / "published" / "report.json"
    if run.returncode:
        return {**values, "status": "failed", "error": run.stderr.splitlines()[-1]}
    report = json.loads(published.read_bytes())
    row = {**values, "status": "done", "error": "", **results_of(report)}
    return next(csv.DictReader(as_csv([row]).splitlines()))


@pytest.mark.slow
def test_twelve_runs_of_a_sweep_equal_twelve_single_runs(tmp_path):
    grid = {**GRID, **ALL}
    settings = [f"--set={name}={','.join(v)}" for name, v in GRID.items()]
    settings += [f"--set={name}={value}" for name, value in ALL.items()]
    out = tmp_path / "out"
    options = ["--workers=2", "--threads=1", "--retries=0", f"--out={out}"]
    sweep = start("helpers.sweep", *settings, *options)
    with open(out / "sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12, sweep.stderr
    combinations = itertools.product(*GRID.values())
    for row, combination in zip(rows, combinations, strict=True):
        values = dict(zip(GRID, combination, strict=True)) | ALL
        assert {name: row[name] for name in grid} == values
        expected = single_run(values, tmp_path / row["run"])
        own = {name: row[name] for name in expected if name not in HAPPENSTANCE}
        assert own == expected
    # The gate: of each pair the strict one fails exactly if something was lost.
    for strict, lenient in zip(rows[::2], rows[1::2], strict=True):
        assert lenient["status"] == "done"
        lost = float(lenient["accuracy_drop"]) > 0
        assert strict["status"] == ("failed" if lost else "done")
    failed = [row for row in rows if row["status"] == "failed"]
    assert failed, "no run lost any accuracy: choose other seeds"
    assert sweep.returncode == 1
    # Three trainings for twelve runs.
    assert sum("04" in row["notebooks_run"].split() for row in rows) == 3
