"""Sweeps: real schedulers, workers and processes, runs of small stand-in notebooks."""

import contextlib
import csv
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
import stand_ins
from browser import chromium
from stand_ins import needs_posix

from helpers import parameters, runs, sweep

__all__ = ["chromium"]  # a fixture
KNOWN = parameters.all_parameters(runs.notebooks())
WRONG = ["epochs=0", "epochs=1,", "epochs", "augment=perhaps", "bogus=1", "recipe=new"]
WRONG += ["seed=1;seed=2", "save_model_name=a", "start_at=4", "dataset=/absent/a.npz"]
NOTE = """---
with open(os.environ["NOTES"], "a") as file:
    print(seed, mishap, file=file)
mishap = "none" if "HEALED" in os.environ else mishap
---
"""
READ = 'open(given).read() if (given := made_from["dataset"]) != "auto" else ""'
# What runs is noted; the dataset's name is what a file holds.
EDITS = [
    ("04_train_model", "---\n", NOTE),
    ("06_test_quantized_model", '"squares"', READ),
]


class Site:
    """Stand-in notebooks that note what runs, a folder for results, and a cluster."""

    def __init__(self, folder):
        with pytest.MonkeyPatch.context() as patch:
            for stem, old, new in EDITS:
                text = stand_ins.CELLS[stem].replace(old, new, 1)
                patch.setitem(stand_ins.CELLS, stem, text)
            stand_ins.House(folder)
        self.folder, self.started = folder, []
        self.out, self.notes = folder / "out", folder / "notes"
        self.environment = os.environ | {
            "NOTEBOOKS_DIR": str(folder / "notebooks"),
            "PYTHONPATH": str(stand_ins.REPOSITORY),
            "NOTES": str(self.notes),
            "MNIST_NPZ": "",
        }

    def start(self, *arguments, module="helpers.sweep", **options):
        command = [sys.executable, "-m", module, *arguments]
        options |= {"cwd": self.folder, "env": self.environment, "text": True}
        process = subprocess.Popen(command, start_new_session=True, **options)
        self.started.append(process)
        return process

    def sweep(self, *arguments):
        """Start a sweep and return its process."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return self.start(*arguments, "--out", str(self.out), **pipes)

    def start_cluster(self):
        """Start a scheduler and two workers, each a process: address, a worker."""
        file = self.folder / "scheduler.json"
        options = ["--scheduler-file", str(file), "--host", "127.0.0.1"]
        own = ["--nthreads", "1", "--no-nanny", "--local-directory", str(self.folder)]
        commands = ["scheduler", "--port", "0"], ["worker", *own], ["worker", *own]
        quiet = dict.fromkeys(["stdout", "stderr"], subprocess.DEVNULL)
        cluster = [self.start(*c, *options, module="dask", **quiet) for c in commands]
        self.wait(lambda: file.exists() and file.stat().st_size)  # it is written late
        return json.loads(file.read_text())["address"], cluster[1]

    def noted(self):
        """Return seed and mishap of each attempt at a run so far, sorted."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(self.notes.read_text().splitlines())
        return []

    def rows(self, *columns):
        """Return these columns of ``sweep.csv``, sorted."""
        with open(self.out / "sweep.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return sorted(tuple(row[column] for column in columns) for row in rows)

    def wait(self, condition):
        deadline = time.monotonic() + 100
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.05)


def end(process):
    """Return a sweep's exit status, and what it printed, when it ends."""
    said, _ = process.communicate(timeout=300)
    assert "Traceback" not in said
    return process.returncode, said


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "site")
    yield site
    for process in site.started:
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()


@needs_posix
def test_run_of_a_killed_worker_is_done_by_another_and_never_again(site, tmp_path):
    dataset = tmp_path / "mine.npz"
    dataset.write_text("digits of mine")
    address, worker = site.start_cluster()
    grid = ["--set", "seed=1,2", "--set", "wait=4", "--set", f"dataset={dataset}"]
    process = site.sweep(*grid, "--scheduler", address)
    site.wait(lambda: len(site.noted()) == 2)
    worker.kill()
    status, said = end(process)
    assert (status, "2 runs, 0 of them finished" in said) == (0, True), said
    assert len(site.noted()) == 3
    rows = site.rows("seed", "status", "dataset_name", "int8_accuracy", "model_bytes")
    assert rows == [(s, "done", "digits of mine", "97.1", "10241") for s in "12"]
    for run, seed in site.rows("id", "seed"):
        folder = site.out / "runs" / run
        model = (folder / f"{run}_int8.tflite").read_bytes()
        assert model == stand_ins.model(int(seed))
        for line in (folder / "SHA256SUMS").read_text().splitlines():
            data = (folder / line.split()[1]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == line.split()[0]
    status, said = end(site.sweep(*grid))
    assert (status, "2 runs, 2 of them finished" in said) == (0, True), said
    assert len(site.noted()) == 3
    assert len(site.rows("id")) == 2


def test_failed_run_is_retried_and_recorded_but_a_failed_gate_is_a_result(site):
    grid = ["--set", "mishap=fail,none", "--set", "after=900", "--workers", "2"]
    status, said = end(site.sweep(*grid))
    assert (status, site.noted()) == (1, ["1 fail", "1 fail", "1 none"])
    assert site.rows("mishap", "status", "int8_accuracy", "int8_correct") == [
        ("fail", "failed", "", ""),
        ("none", "gate failed", "90.0", "900"),
    ]
    (_, failed), (_, refused) = site.rows("mishap", "error")
    assert "ValueError: asked to fail in two lines" in failed
    assert refused == "900 of 1,000 are right, where 960 are expected."
    assert said.count(refused) == said.count(failed) == 1
    site.environment["HEALED"] = "yes"
    status, said = end(site.sweep(*grid))
    assert (status, "2 runs, 1 of them finished" in said) == (0, True), said
    assert site.noted() == ["1 fail", "1 fail", "1 fail", "1 none"]
    assert site.rows("status") == 2 * [("gate failed",)]


@needs_posix
def test_ctrl_c_leaves_no_process_and_the_same_command_goes_on(site):
    process = site.sweep("--set", "wait=0,300", "--workers", "2")
    site.wait(lambda: (site.out / "sweep.html").exists() and len(site.noted()) == 2)
    below = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    status, said = end(process)
    assert status == 130
    assert "the same command goes on from here" in said
    assert len(below) > 4 and psutil.wait_procs(below, timeout=20)[1] == []
    assert site.rows("wait", "status") == [("0.0", "done")]


@pytest.mark.parametrize("settings", WRONG)
def test_wrong_grid_ends_with_2_and_writes_nothing(settings, tmp_path, capsys):
    arguments = [w for setting in settings.split(";") for w in ("--set", setting)]
    with pytest.raises(SystemExit) as end:
        sweep.main([*arguments, "--out", str(tmp_path / "out")])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "error: " in said and ("expected" in said or "accepts" in said)
    assert list(tmp_path.iterdir()) == []


def test_run_has_another_name_when_the_file_of_its_dataset_has_changed(tmp_path):
    names = set()
    for text in ("some digits", "other digits", "some digits"):
        (tmp_path / "mine.npz").write_text(text)
        names |= sweep.grid([f"dataset={tmp_path / 'mine.npz'}"], KNOWN).keys()
    assert len(names) == 2


def test_page_needs_no_network_and_tells_means_and_errors(chromium, tmp_path):
    accuracies = {"conv": [97.0, 98.0, 98.5], "dense": [96.0, 96.5]}
    rows = [
        {"id": f"run_{head}{seed}", "status": "done", "head": head, "seed": seed}
        | {"recipe": "default", **dict.fromkeys(sweep.RESULTS)}
        | {"float_accuracy": 99.0, "int8_accuracy": accuracy, "seconds": 9 + seed}
        | {"model_bytes": 25000}
        for head, values in accuracies.items()
        for seed, accuracy in enumerate(values)
    ]
    failed = dict.fromkeys(sweep.RESULTS) | {"status": "failed", "error": "<b>No</b>"}
    rows.append(rows[0] | failed | {"id": "run_failed"})
    for some in (rows[:1], rows[:3], rows[-1:]):  # one run, only seeds, no result
        assert f">{some[0]['status']}<" in sweep.page(pd.DataFrame(some, dtype=object))
    path = tmp_path / "sweep.html"
    path.write_text(sweep.page(pd.DataFrame(rows, dtype=object)), encoding="utf-8")
    page, asked = chromium.new_page(viewport={"width": 390, "height": 900}), []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(error))
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.querySelector('img').naturalWidth") > 200
    alt = page.get_by_role("img").get_attribute("alt")
    for head, values in accuracies.items():
        mean, deviation = statistics.mean(values), statistics.stdev(values)
        assert f"head={head}: {mean:.2f} ± {deviation:.2f} %" in alt
    assert "<b>No</b>" in page.inner_text("tr:has-text('run_failed')")
    assert page.locator("tbody tr td").first.inner_text() == "run_conv2"
    page.close()
