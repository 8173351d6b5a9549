"""Sweeps: real schedulers, workers and processes, runs of small stand-in notebooks."""

import contextlib
import csv
import dataclasses
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pandas as pd
import psutil
import pytest
import stand_ins
from browser import chromium, page_folder
from stand_ins import needs_posix

from helpers import parameters, runs, sweep

__all__ = ["chromium", "page_folder"]  # fixtures
KNOWN = parameters.all_parameters(runs.notebooks())
KNOWN["recipe"] = parameters.RECIPE
NOTE = """---
note = {"seed": seed, "mishap": mishap, "folder": str(run.folder)}
with open(os.environ["NOTES"], "a") as file:
    print(json.dumps(note), file=file)
---
"""
FAIL = 'if mishap == "fail":'
READ = 'open(made_from["dataset"]).read() if "/" in made_from["dataset"] else ""'
# What runs is noted; the dataset's name is what a file holds.
EDITS = [
    ("04_train_model", "---\n", NOTE),
    ("04_train_model", FAIL, 'if mishap == "fail" and "HEALED" not in os.environ:'),
    ("06_test_quantized_model", '"squares"', READ),
]


class Site:
    """Stand-in notebooks that note what runs, a folder for results, and a cluster."""

    def __init__(self, folder):
        notebooks = dict(stand_ins.CELLS)
        for stem, old, new in EDITS:
            notebooks[stem] = notebooks[stem].replace(old, new, 1)
        house = stand_ins.House(folder, notebooks)
        self.folder = folder
        self.started = []
        self.out = folder / "out"
        self.notes = folder / "notes"
        self.environment = house.environment | {
            "NOTES": str(self.notes),
            "MNIST_NPZ": "",
        }

    def start(self, module, arguments, stdout=subprocess.DEVNULL, **environment):
        """Start a Python module as a process in a group of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def sweep(self, *arguments):
        """Start a sweep and return its process."""
        words = [*arguments, "--out", str(self.out)]
        return self.start("helpers.sweep", words, stdout=subprocess.PIPE)

    def start_cluster(self, workers, **environment):
        """Start a scheduler and workers, each a process: its address, a worker."""
        file = self.folder / "scheduler.json"
        common = ["--scheduler-file", str(file), "--host", "127.0.0.1"]
        self.start("dask", ["scheduler", "--port", "0", *common])
        words = ["worker", "--nthreads", "1", "--no-nanny", *common]
        words += ["--local-directory", str(self.folder)]
        for _ in range(workers):
            worker = self.start("dask", words, **environment)
        # The file is written late.
        self.wait(lambda: file.exists() and file.stat().st_size)
        return json.loads(file.read_text())["address"], worker

    def noted(self):
        """Return what each attempt at a run has noted so far."""
        with contextlib.suppress(FileNotFoundError):
            return [json.loads(line) for line in self.notes.read_text().splitlines()]
        return []

    def attempts(self, key):
        """Return how many attempts there were with each value of a parameter."""
        return Counter(note[key] for note in self.noted())

    def rows(self, *columns):
        """Return these columns of ``sweep.csv``, sorted."""
        with open(self.out / "sweep.csv", encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
        rows = []
        for row in found:
            rows.append(tuple(row[column] for column in columns))
        return sorted(rows)

    def wait(self, condition):
        deadline = time.monotonic() + 100
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.05)

    def close(self):
        """End all processes that were started here."""
        for process in self.started:
            with contextlib.suppress(psutil.Error):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()


def end(process):
    """Return a sweep's exit status, and what it printed, when it ends."""
    said, _ = process.communicate(timeout=300)
    assert "Traceback" not in said, said
    return process.returncode, said


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "site")
    yield site
    site.close()


# A cluster that loses a worker


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Return a site whose cluster lost a worker during two runs, and the settings."""
    site = Site(tmp_path_factory.mktemp("cluster"))
    dataset = site.folder / "mine.npz"
    dataset.write_text("digits of mine")
    settings = ["--set", "seed=1,2", "--set", "wait=3", "--set", f"dataset={dataset}"]
    address, worker = site.start_cluster(2)
    process = site.sweep(*settings, "--scheduler", address)
    site.wait(lambda: len(site.noted()) == 2)
    worker.kill()
    status, said = end(process)
    assert status == 0, said
    yield site, settings
    site.close()


@needs_posix
def test_run_of_a_killed_worker_is_done_by_another(cluster):
    assert sorted(cluster[0].attempts("seed").values()) == [1, 2]
    assert cluster[0].rows("seed", "status") == [("1", "done"), ("2", "done")]


@needs_posix
def test_table_has_what_the_run_has_achieved(cluster):
    rows = cluster[0].rows(
        "dataset_name", "float_accuracy", "int8_accuracy", "int8_correct", "model_bytes"
    )
    assert rows == 2 * [("digits of mine", "97.0", "97.1", "971", "10241")]


@needs_posix
def test_table_has_the_seconds_that_a_run_took(cluster):
    for (seconds,) in cluster[0].rows("seconds"):
        assert 3 < float(seconds) < 200  # it waits for three


@needs_posix
def test_folder_of_a_run_has_what_was_published(cluster):
    out = cluster[0].out
    for run, seed in cluster[0].rows("id", "seed"):
        folder = out / "runs" / run
        model = (folder / f"{run}_int8.tflite").read_bytes()
        assert model == stand_ins.model(int(seed))
        for line in (folder / "SHA256SUMS").read_text().splitlines():
            data = (folder / line.split()[1]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == line.split()[0]


@needs_posix
def test_same_command_again_runs_nothing_and_writes_table_and_page_anew(cluster):
    site, settings = cluster
    table, page = site.out / "sweep.csv", site.out / "sweep.html"
    before = site.rows("id", "status", "seconds")
    attempts = len(site.noted())
    table.unlink()
    page.unlink()
    status, said = end(site.sweep(*settings))
    assert (status, "2 runs, 2 of them finished" in said) == (0, True), said
    assert len(site.noted()) == attempts
    assert site.rows("id", "status", "seconds") == before and page.exists()


def test_worker_without_the_project_is_told_before_the_first_run(site):
    other = site.folder / "other"
    (other / "helpers").mkdir(parents=True)
    empty = 'raise ModuleNotFoundError("No module named papermill")'
    (other / "helpers" / "__init__.py").write_text(empty)
    address, _ = site.start_cluster(1, PYTHONPATH=str(other))
    status, said = end(site.sweep("--set", "seed=1", "--scheduler", address))
    last = said.splitlines()[-1]
    assert status == 1 and "cannot import this project (No module named" in last
    assert "pip install -r requirements.txt" in last


def test_scheduler_that_is_not_there_is_told_in_one_sentence(site):
    address = "nowhere://127.0.0.1"
    status, said = end(site.sweep("--set", "seed=1", "--scheduler", address))
    assert status == 1 and "The Dask cluster failed" in said.splitlines()[-1]


# Runs that fail


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    """Return a site after a run that failed and one that the gate refused.

    With it come the settings, the exit status and what was printed.
    """
    site = Site(tmp_path_factory.mktemp("failing"))
    settings = ["--set", "mishap=fail,none", "--set", "after=900", "--workers", "2"]
    status, said = end(site.sweep(*settings))
    yield site, settings, status, said
    site.close()


def test_run_that_fails_is_tried_twice_and_ends_the_sweep_with_1(failing):
    site, _, status, said = failing
    assert status == 1 and "1 of 2 runs failed" in said
    assert site.attempts("mishap")["fail"] >= 2


def test_run_that_fails_is_recorded_with_its_sentence(failing):
    (_, status, error), _ = failing[0].rows("mishap", "status", "error")
    assert status == "failed"
    assert "ValueError: asked to fail in two lines" in error
    assert failing[3].count(error) == 1


def test_run_that_the_gate_refuses_is_a_result_and_done_once(failing):
    rows = failing[0].rows("mishap", "status", "int8_accuracy", "int8_correct", "error")
    sentence = "900 of 1,000 are right, where 960 are expected."
    assert rows[1] == ("none", "gate failed", "90.0", "900", sentence)
    assert failing[0].attempts("mishap")["none"] == 1


def test_runs_work_below_the_folder_of_results(failing):
    # The temporary folder of a computer is often small.
    for note in failing[0].noted():
        assert note["folder"].startswith(str(failing[0].out))


def test_nothing_but_results_is_left_in_their_folder(failing):
    left = {path.name for path in failing[0].out.iterdir()}
    assert left == {"runs", "sweep.csv", "sweep.html", ".dask"}
    work = [path for path in failing[0].out.rglob(".dask/**/*") if path.is_file()]
    assert {path.suffix for path in work} <= {".lock"}  # Dask's own


def test_same_command_again_does_only_what_failed(failing):
    site, settings, _, _ = failing
    before = site.attempts("mishap")
    site.environment["HEALED"] = "yes"
    status, said = end(site.sweep(*settings))
    assert (status, "2 runs, 1 of them finished" in said) == (0, True), said
    assert site.attempts("mishap") == before + Counter({"fail": 1})
    assert site.rows("status") == 2 * [("gate failed",)]


@needs_posix
def test_ctrl_c_leaves_no_process_and_the_table_of_what_has_ended(site):
    process = site.sweep("--set", "wait=0,300", "--workers", "2")
    site.wait(lambda: (site.out / "sweep.html").exists() and len(site.noted()) == 2)
    below = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    status, said = end(process)
    assert status == 130 and "the same command goes on from here" in said
    assert len(below) > 4 and psutil.wait_procs(below, timeout=20)[1] == []
    assert site.rows("wait", "status") == [("0.0", "done")]


# The plan


@pytest.mark.parametrize(
    "options",
    [
        "--set epochs=0",
        "--set epochs=1,",
        "--set epochs",
        "--set augment=perhaps",
        "--set bogus=1",
        "--set recipe=new",
        "--set seed=1 --set seed=2",
        "--set save_model_name=a",
        "--set serial_port=COM3",
        "--set photo=a.png",
        "--set start_at=4",
        "--set dataset=/absent/a.npz",
        "--set epochs=1 --workers 0",
    ],
)
def test_wrong_command_ends_with_2_and_writes_nothing(options, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        sweep.main([*options.split(), "--out", str(tmp_path / "out")])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "error: " in said and ("expected" in said or "accepts" in said)
    assert list(tmp_path.iterdir()) == []


def test_help_lists_what_can_be_compared(capsys):
    with pytest.raises(SystemExit):
        sweep.main(["--help"])
    said = capsys.readouterr().out
    assert "passes over the training images [1 to 1000; default 5]" in said
    assert "save_model_name" not in said


def planned_runs(*settings):
    axes = sweep.grid(settings, KNOWN)
    return sweep.plan(axes, KNOWN)


def test_plan_has_each_combination_with_its_recipe_and_defaults():
    planned = planned_runs("seed=1,2", "recipe=original,default")
    found = [(run["seed"], run["pixel_scale"]) for run in planned.values()]
    assert found == [(1, 1.0), (1, 128.0), (2, 1.0), (2, 128.0)]
    assert {run["batch_size"] for run in planned.values()} == {64}


def test_runs_of_the_same_values_are_one_run():
    assert len(planned_runs("epochs=3,3", "seed=1")) == 1


def test_run_has_another_name_when_the_file_of_its_dataset_has_changed(tmp_path):
    names = set()
    for text in ("some digits", "other digits", "some digits"):
        (tmp_path / "mine.npz").write_text(text)
        names.update(planned_runs(f"dataset={tmp_path / 'mine.npz'}"))
    assert len(names) == 2


@pytest.mark.parametrize(
    ("cores", "gibibytes", "workers"), [(8, 4, 3), (2, 64, 2), (4, 1, 1)]
)
def test_workers_are_capped_by_cores_and_memory(monkeypatch, cores, gibibytes, workers):
    monkeypatch.setattr(sweep, "CPU_COUNT", cores)
    monkeypatch.setattr(sweep, "MEMORY_LIMIT", gibibytes * 2**30)
    assert sweep.workers_here() == workers


# Table and page

ACCURACIES = {"conv": [97.0, 98.0, 98.5], "dense": [96.0, 96.5], "both": [95.0]}


def row(head, seed, accuracy):
    """Return the row of a run of these parameters; it failed without an accuracy."""
    if accuracy is None:
        outcome = sweep.Outcome("failed", "<b>No</b>")
    else:
        outcome = sweep.Outcome(
            status="done",
            float_accuracy=99.0,
            int8_accuracy=accuracy,
            model_bytes=25_000 + seed,
            seconds=9.5,
        )
    values = {"recipe": "default", "head": head, "seed": seed}
    return {"id": f"run_{head}{seed}", **values, **dataclasses.asdict(outcome)}


@pytest.fixture(scope="module")
def compared():
    """Return the table of some runs, one of which failed."""
    rows = [row("conv", 9, None)]
    for head, values in ACCURACIES.items():
        for seed, accuracy in enumerate(values):
            rows.append(row(head, seed, accuracy))
    return pd.DataFrame(rows, dtype=object)


def test_means_over_seeds_have_standard_deviations_best_first(compared):
    found = sweep.means_over_seeds(compared, ["head"])
    assert list(found.index) == ["head=conv", "head=dense", "head=both"]
    for mean, values in zip(found.itertuples(), ACCURACIES.values(), strict=True):
        assert mean.runs == len(values)
        assert mean.mean == pytest.approx(statistics.mean(values))
    assert found["deviation"].iloc[1] == pytest.approx(0.5 / 2**0.5)
    assert np.isnan(found["deviation"].iloc[2])


def test_chart_draws_accuracy_against_bytes(compared):
    means = sweep.means_over_seeds(compared, ["head"])
    above, _ = sweep.draw_charts(compared, means).axes
    ended = compared.dropna(subset=["int8_accuracy"])
    drawn = above.lines[0].get_xydata()
    drawn = drawn[~np.isnan(drawn).any(axis=1)]
    assert drawn.tolist() == ended[["model_bytes", "int8_accuracy"]].values.tolist()


def test_chart_draws_the_means_with_their_deviations(compared):
    means = sweep.means_over_seeds(compared, ["head"])
    _, ax = sweep.draw_charts(compared, means).axes
    points, _, [bars] = ax.containers[0]
    assert list(points.get_xdata()) == list(means["mean"])
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == list(means.index)
    ends = [segment[:, 0] for segment in bars.get_segments() if len(segment)]
    for deviation, (low, high) in zip(means["deviation"][:2], ends, strict=True):
        assert high - low == pytest.approx(2 * deviation)


@pytest.fixture(scope="module")
def page(compared, chromium, page_folder):
    """Return the page in a browser, as wide as a phone; `asked` are its requests."""
    path = page_folder / "sweep.html"
    path.write_text(sweep.page(compared), encoding="utf-8")
    page = chromium.new_page(viewport={"width": 390, "height": 900})
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.asked.append(error))
    page.goto(path.as_uri())
    page.address = path.as_uri()
    yield page
    page.close()


def test_page_needs_no_network(page):
    assert page.asked == [page.address]


def test_page_fits_a_phone_and_shows_its_chart(page):
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.querySelector('img').naturalWidth") > 200


def test_page_begins_with_what_was_found(page):
    assert page.title() == "Sweep over head, seed"
    said = page.inner_text("p >> nth=0")
    assert "6 done" in said and "1 failed" in said
    assert "head=conv, 97.83 % after quantization" in said


def test_page_tells_means_with_deviations(page):
    table = page.locator("table").first.inner_text()
    for head, values in ACCURACIES.items():
        mean = f"head={head}\t{len(values)}\t{statistics.mean(values):.2f}"
        deviation = ""
        if len(values) > 1:
            deviation = f" ± {statistics.stdev(values):.2f}"
        assert f"{mean}{deviation} %" in table


def test_page_shows_runs_best_first_and_only_columns_that_differ(page):
    runs_table = page.locator("table").last
    assert runs_table.locator("tbody tr td").first.inner_text() == "run_conv2"
    heads = runs_table.locator("th").all_inner_texts()
    assert "head" in heads and "recipe" not in heads and "seconds" not in heads


def test_page_shows_an_error_as_text(page):
    assert "<b>No</b>" in page.inner_text("tr:has-text('run_conv9')")


@pytest.mark.parametrize(("scheme", "is_light"), [("light", True), ("dark", False)])
def test_page_follows_light_and_dark(page, scheme, is_light):
    page.emulate_media(color_scheme=scheme)
    # A system colour that the browser takes for text on this page.
    text = page.evaluate("getComputedStyle(document.body).color")
    assert (text == "rgb(0, 0, 0)") is is_light


@pytest.mark.parametrize(
    "rows",
    [
        [row("conv", 0, 97.0)],
        [row("conv", 0, 97.0), row("conv", 1, 98.0)],
        [row("conv", 0, None)],
    ],
    ids=["one run", "only seeds", "no result"],
)
def test_page_of_few_runs_has_each_of_them(rows):
    text = sweep.page(pd.DataFrame(rows, dtype=object))
    for one in rows:
        assert f">{one['id']}<" in text
