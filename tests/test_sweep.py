"""Sweeps from outside: real schedulers, real workers, runs of stand-in notebooks."""

import csv
import json
import os
import signal
import time

import pytest
from sweeps import Site

from helpers.sealed import sealed_files

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX: run on Linux")


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a site where a scheduler and two workers have done a grid of four."""
    site = Site(tmp_path_factory.mktemp("finished"))
    address = site.start_cluster(workers=2)
    grid = ["--set", "seed=1,2", "--set", "notice=one,two", "--scheduler", address]
    site.grid = grid
    site.result = site.sweep(*grid)
    yield site
    site.close()


def test_sweep_on_two_workers_gives_one_row_a_run(finished):
    assert finished.result.returncode == 0, finished.result.stderr
    rows = finished.rows()
    assert [(r["seed"], r["notice"]) for r in rows] == [
        ("1", "one"),
        ("1", "two"),
        ("2", "one"),
        ("2", "two"),
    ]
    assert {r["status"] for r in rows} == {"done"}
    assert {r["board_accuracy"] for r in rows} == {"96.0"}
    assert {r["model_bytes"] for r in rows} == {"25030"}
    assert {r["threads"] for r in rows} == {"1"}
    assert len({r["worker"] for r in rows}) == 2


def test_sweep_says_first_how_many_runs_and_how_long(finished):
    assert finished.result.stdout.startswith("4 runs: about ")


def test_sweep_trains_once_for_runs_that_differ_after_training_only(finished):
    run = sorted(row["notebooks_run"] for row in finished.rows())
    assert run == ["03 04 05 06", "03 04 05 06", "05 06", "05 06"]


def test_sweep_brings_back_what_each_run_published(finished):
    for row in finished.rows():
        folder = finished.out / "runs" / row["run"] / "published"
        assert set(sealed_files(folder)) == {"model.tflite", "report.json"}
        report = json.loads((folder / "report.json").read_bytes())
        assert report["dataset"]["notice"] == row["notice"]


def test_sweep_writes_a_page_that_needs_no_network(finished):
    text = (finished.out / "sweep.html").read_text(encoding="utf-8")
    assert all(row["run"] in text for row in finished.rows())
    assert text.count("<svg") == 3
    assert 'src="http' not in text and "<link" not in text


def test_sweep_leaves_nothing_but_its_results(finished):
    left = {path.name for path in finished.out.iterdir()}
    assert left <= {".lock", "datasets.json", "runs", "sweep.csv", "sweep.html"}
    assert not finished.processes()


def test_same_command_again_runs_nothing_again(finished):
    before = finished.rows()
    again = finished.sweep(*finished.grid[:4], "--workers", "1")
    assert again.returncode == 0, again.stderr
    assert "4 of them finished before: nothing to do" in again.stdout
    assert finished.rows() == before


def test_kept_runs_are_told_as_the_new_grid_asks_for_them(site):
    site.sweep("--set", "seed=1,2")
    result = site.sweep("--set", "seed=1,2", "--set", "recipe=default")
    assert "nothing to do" in result.stdout
    assert [row["recipe"] for row in site.rows()] == ["default", "default"]
    site.sweep("--set", "seed=1,2")
    assert all("recipe" not in row for row in site.rows())


def test_failing_run_is_retried_recorded_and_stops_no_other(site):
    result = site.sweep("--set", "mishap=fail,none", "--retries", "1", "--workers", "2")
    failed, done = site.rows()
    assert result.returncode == 1
    assert (failed["status"], done["status"]) == ("failed", "done")
    assert failed["attempts"] == "2"
    assert "ValueError: asked to fail" in failed["error"]
    assert failed["error"] in result.stdout
    kept = site.out / "runs" / failed["run"] / "notebooks"
    assert [path.name for path in kept.iterdir()] == ["04_train.ipynb"]


@posix
def test_run_of_a_killed_worker_is_done_elsewhere(site):
    address = site.start_cluster(workers=2)
    sweep = site.start("--set", "seed=1,2", "--set", "wait=2", "--scheduler", address)
    victim = site.cluster[2]
    site.wait(lambda: site.runs_below(victim))
    orphans = site.runs_below(victim)
    victim.kill()
    site.wait(lambda: not any(p.is_running() for p in orphans), seconds=5)
    output, errors = sweep.communicate(timeout=60)
    assert sweep.returncode == 0, output + errors
    rows = site.rows()
    assert sorted(row["seed"] for row in rows) == ["1", "2"]
    assert len({row["worker"] for row in rows}) == 1


@posix
def test_lost_scheduler_gives_a_sentence_and_the_sweep_goes_on_later(site):
    address = site.start_cluster(workers=1)
    sweep = site.start("--set", "wait=0,60", "--scheduler", address)
    site.wait(site.rows)
    site.wait(lambda: site.runs_below(site.cluster[1]))
    site.cluster[0].kill()
    _, errors = sweep.communicate(timeout=20)
    assert sweep.returncode == 1
    assert f"The scheduler at {address} is gone; 1 of 2 runs" in errors
    assert "Traceback" not in errors
    site.wait(lambda: not site.runs_below(site.cluster[1]), seconds=10)
    (row,) = site.rows()
    assert (row["wait"], row["status"]) == ("0.0", "done")

    dry = site.sweep("--set", "wait=0,60", "--dry-run")
    assert "2 runs, 1 of them finished before" in dry.stdout
    assert "wait=0.0 (finished)" in dry.stdout


@posix
def test_ctrl_c_ends_all_within_three_seconds_and_keeps_what_is_finished(site):
    sweep = site.start("--set", "wait=0,60,61", "--workers", "2")
    site.wait(site.rows)
    begun = time.monotonic()
    sweep.send_signal(signal.SIGINT)
    _, errors = sweep.communicate(timeout=30)
    assert time.monotonic() - begun < 3
    assert sweep.returncode == 130
    assert "the same command goes on from here" in errors
    assert "Traceback" not in errors
    site.wait(lambda: not site.processes(), seconds=2)
    assert [row["wait"] for row in site.rows()] == ["0.0"]


@posix
def test_killed_sweep_leaves_no_process(site):
    sweep = site.start("--set", "wait=60,61", "--workers", "1")
    # Below the sweep's own process are the workers', and below a worker is a run.
    site.wait(lambda: any(p.ppid() != sweep.pid for p in site.runs_below(sweep)))
    sweep.kill()
    sweep.communicate()
    site.wait(lambda: not site.processes(), seconds=10)


def test_missing_dataset_fails_its_runs_and_says_so(tmp_path, monkeypatch, capsys):
    from helpers.sweep import main

    monkeypatch.chdir(tmp_path)
    assert main(["--set", "dataset=/absent/a.npz", "--set", "seed=1,2"]) == 1
    text = (tmp_path / "sweep/sweep.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["status"] for row in rows] == ["failed", "failed"]
    assert all("/absent/a.npz" in row["error"] for row in rows)
    assert "0 of 2 runs succeeded" in capsys.readouterr().out
    assert "/absent/a.npz" in (tmp_path / "sweep/sweep.html").read_text("utf-8")


@pytest.mark.slow
@posix
def test_ctrl_c_ends_what_runs_on_a_cluster(site):
    address = site.start_cluster(workers=1)
    sweep = site.start("--set", "wait=60,61", "--scheduler", address)
    site.wait(lambda: site.runs_below(site.cluster[1]))
    begun = time.monotonic()
    sweep.send_signal(signal.SIGINT)
    _, errors = sweep.communicate(timeout=30)
    assert time.monotonic() - begun < 3
    assert sweep.returncode == 130
    assert "Traceback" not in errors
    site.wait(lambda: not site.runs_below(site.cluster[1]), seconds=5)
    assert site.cluster[1].poll() is None  # the worker itself is not ours to end


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:9", "head", "tls://127.0.0.1:9", "http://127.0.0.1:9"]
)
def test_absent_scheduler_gives_a_sentence(site, address):
    result = site.sweep("--set", "seed=1,2", "--scheduler", address)
    assert result.returncode == 1
    assert f"No scheduler answers at {address}" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (site.out / "datasets.json").exists()  # no data was prepared for it


def test_images_are_those_of_the_sweep_whatever_a_worker_has(site, tmp_path):
    site.environment["MNIST_NPZ"] = str(tmp_path / "absent.npz")
    address = site.start_cluster(workers=1)
    (tmp_path / "present.npz").write_bytes(b"images")
    site.environment["MNIST_NPZ"] = str(tmp_path / "present.npz")
    result = site.sweep("--set", "seed=1", "--scheduler", address)
    assert result.returncode == 0, result.stdout + result.stderr
    assert [row["notebooks_run"] for row in site.rows()] == ["03 04 05 06"]


def test_second_sweep_into_the_same_folder_is_refused(site):
    from filelock import FileLock

    site.out.mkdir()
    with FileLock(site.out / ".lock"):
        result = site.sweep("--set", "seed=1,2")
    assert result.returncode == 1
    assert "Another sweep is writing into out" in result.stderr
