"""Faults in the middle of runs: killed, stopped, stale, two at once, again and again.

Stand-in notebooks make the quick tests; those marked slow use the real ones, on the
sample of 5,000 images.
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import stand_ins

from helpers.artifacts import Run
from helpers.errors import TutorialError
from helpers.files import sha256
from helpers.paths import NOTEBOOKS, REPOSITORY
from helpers.sealed import sealed_files

posix = pytest.mark.skipif(os.name != "posix", reason="sends signals: run on Linux")
SAMPLE = ["--dataset=mnist_5k", "--epochs=1"]


class RealHouse(stand_ins.House):
    """A house whose notebooks are those of the repository."""

    def start(self, *arguments, **options):
        options = {"NOTEBOOKS_DIR": str(NOTEBOOKS)} | options
        return super().start(*SAMPLE, *arguments, **options)

    def command(self, *arguments, **options):
        process = self.start(*arguments, **options)
        output, errors = process.communicate(timeout=900)
        return subprocess.CompletedProcess(
            arguments, process.returncode, output, errors
        )

    def papermill(self, number, *parameters):
        """Run one notebook alone, as its reader would."""
        [path] = NOTEBOOKS.glob(f"{number}_*.ipynb")
        command = [sys.executable, "-m", "papermill", "--no-progress-bar"]
        return subprocess.run(
            [*command, path, self.folder / "out.ipynb", *parameters],
            cwd=self.folder,
            env=os.environ
            | {"ARTIFACTS_DIR": str(self.artifacts), "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
        )


@pytest.fixture
def house(tmp_path):
    return stand_ins.house(tmp_path)


@pytest.fixture(scope="module")
def real_run(tmp_path_factory):
    """Return a house in which the real notebooks have run once; do not change it."""
    house = RealHouse(tmp_path_factory.mktemp("real"))
    result = house.command()
    assert result.returncode == 0, result.stderr
    return house


@pytest.fixture
def real_house(real_run, tmp_path):
    """Return a house of one's own with the artifacts of a real run."""
    shutil.copytree(real_run.artifacts, tmp_path / "artifacts")
    return RealHouse(tmp_path)


def published(house):
    """Return the published files, each checked by SHA256SUMS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTIFACTS_DIR", str(house.artifacts))
        run = Run("mnist_cnn")
        return {name: run.load_published(name) for name in sealed_files(run.published)}


def kill_all(house, process):
    """Kill the runner, its kernels and their helpers, all at once, without warning."""
    for number in house.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 5
    while house.processes() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert house.processes() == []


def check_after_kill(house, allowed):
    """Check that what is published is whole, and that no half artifact is accepted."""
    assert published(house) in allowed
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTIFACTS_DIR", str(house.artifacts))
        run = Run("mnist_cnn")
        for manifest in house.run.glob("0*.json"):
            artifact = manifest.name.removesuffix(".json")
            if not (house.run / manifest.name).with_suffix("").exists():
                continue
            with contextlib.suppress(TutorialError):  # stale is fine, half is not
                data = run.load_bytes(artifact)
                assert sha256(data) in manifest.read_text()


def kill_often(house, arguments, kills, seed):
    """Kill runs at random, each going on where the one before was killed.

    Parameters
    ----------
    arguments : function
        Gives the arguments of run number n: other parameters, so other files.
    """
    rng = random.Random(seed)
    begun = time.monotonic()
    result = house.command(*arguments(0))
    assert result.returncode == 0, result.stderr
    duration = time.monotonic() - begun
    old, number, resume, ended = published(house), 1, [], 0
    while kills:
        begun = time.monotonic()
        process = house.start(*arguments(number), *resume)
        try:
            _, errors = process.communicate(timeout=rng.uniform(0.05, duration))
        except subprocess.TimeoutExpired:
            kill_all(house, process)
            kills -= 1
            # Old or new; what the new ones are, the run that completes will tell.
            found = published(house)
            check_after_kill(house, [found])
            if found != old:
                result = house.command(*arguments(number), "--resume")
                assert result.returncode == 0, result.stderr
                assert published(house) == found
                old, number, resume, ended = found, number + 1, [], ended + 1
                continue
            resume = ["--resume"] if rng.random() < 0.8 else []
        else:
            assert process.returncode == 0, errors
            assert published(house) != old
            duration = min(duration, time.monotonic() - begun)  # a quieter moment
            old, number, resume, ended = published(house), number + 1, [], ended + 1
    result = house.command(*arguments(number))
    assert result.returncode == 0, result.stderr
    assert published(house) != old
    assert not list(house.run.glob(".partial-*"))
    return ended


# Killed


@posix
@pytest.mark.parametrize("kills", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_run_killed_at_random_leaves_old_or_new_and_the_next_completes(house, kills):
    kill_often(house, lambda n: [f"--notice=number {n}"], kills, seed=kills)


@posix
@pytest.mark.slow
def test_real_run_killed_50_times_leaves_old_or_new_and_the_next_completes(tmp_path):
    house = RealHouse(tmp_path)
    gate = "--max-accuracy-drop=100"  # one epoch is not meant to pass it
    kill_often(house, lambda n: [f"--seed={n + 1}", gate], kills=50, seed=0)


# Stopped


@posix
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_in_the_middle_of_real_training_ends_all_within_3_seconds(
    tmp_path, number
):
    house = RealHouse(tmp_path)
    process = house.start("--epochs=1000", stderr=subprocess.PIPE)
    house.wait_for("03_model.keras", seconds=300)
    for line in process.stderr:
        if "04_train_model: " in line:
            break  # TensorFlow is training
    begun = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - begun < 3
    assert process.returncode == 128 + number
    assert house.processes() == []
    assert "--resume" in errors and "Traceback" not in errors


@posix
@pytest.mark.slow
def test_real_kernel_that_is_killed_is_reported_within_10_seconds(tmp_path):
    import psutil

    house = RealHouse(tmp_path)
    process = house.start("--epochs=1000", stderr=subprocess.PIPE)
    house.wait_for("03_model.keras", seconds=300)
    for line in process.stderr:
        if "04_train_model: " in line:
            break
    busy = max(
        (psutil.Process(number) for number in house.processes()),
        key=lambda p: p.cpu_times().user,
    )
    busy.kill()
    begun = time.monotonic()
    told = next(line for line in process.stderr if "04_train_model: failed" in line)
    assert time.monotonic() - begun < 10, told
    _, errors = process.communicate(timeout=60)  # with the pages made
    assert process.returncode == 1
    assert "Notebook 04_train_model failed" in errors and "SIGKILL" in errors
    assert house.processes() == []


# Failed


@pytest.mark.slow
def test_failed_real_notebook_is_kept_and_resumed_where_it_failed(real_house):
    before = published(real_house)
    result = real_house.command("--learning-rate=0.000001")
    assert result.returncode == 1
    sentence = result.stderr.splitlines()[-1]
    assert "Notebook 04_train_model failed in code cell" in sentence
    assert "far worse than expected" in sentence
    assert len(re.findall("not run", result.stdout)) == 2
    kept = real_house.executed("04_train_model")
    assert any(
        output.output_type == "error"
        for cell in kept.cells
        for output in cell.get("outputs", [])
    )
    assert published(real_house) == before
    result = real_house.command("--resume")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(" kept") == 3
    assert published(real_house) == before  # the same parameters, the same bytes


# Stale and damaged


@pytest.mark.slow
def test_real_notebook_05_refuses_a_model_of_another_pixel_scale(real_house):
    before = published(real_house)
    assert real_house.papermill("02", "-p", "pixel_scale", "1.0").returncode == 0
    done = real_house.papermill("05")
    assert done.returncode == 1
    [sentence] = [ln for ln in done.stderr.splitlines() if "TutorialError: " in ln][-1:]
    assert "04_model.keras is stale" in sentence
    assert "papermill notebooks/04_train_model.ipynb" in sentence
    assert published(real_house) == before
    gentle = ["-p", "learning_rate", "0.001", "-p", "augment", "False"]
    assert real_house.papermill("04", "-p", "epochs", "2", *gentle).returncode == 0
    assert real_house.papermill("05").returncode == 0
    assert real_house.papermill("06").returncode == 0
    assert published(real_house) != before


@pytest.mark.slow
def test_every_damaged_artifact_of_a_real_run_is_refused(real_house, monkeypatch):
    monkeypatch.setenv("ARTIFACTS_DIR", str(real_house.artifacts))
    run, checked = Run("mnist_cnn"), 0
    for manifest in sorted(real_house.run.glob("0*.json")):
        path = manifest.with_suffix("")
        if not path.exists():
            continue  # an artifact that is itself JSON
        for target in (path, manifest):
            whole = target.read_bytes()
            for place in (0, 9, len(whole) // 2, len(whole) - 1):
                changed = bytearray(whole)
                changed[place] ^= 4
                target.write_bytes(changed)
                with pytest.raises(TutorialError, match=path.name[:2]):
                    run.load_bytes(path.name)
                checked += 1
            target.write_bytes(whole)
        run.load_bytes(path.name)
    saved_model = real_house.run / "04_saved_model"
    for path in [p for p in saved_model.rglob("*") if p.is_file()]:
        whole = path.read_bytes()
        path.write_bytes(whole + b"\0")
        with pytest.raises(TutorialError, match="04_train_model"):
            sealed_files(saved_model)
        path.write_bytes(whole)
    assert checked == 7 * 2 * 4


# Two at once


def test_two_runs_under_different_names_are_both_right(house):
    alone = house.command("--save-model-name=alone")
    assert alone.returncode == 0, alone.stderr
    processes = [house.start(f"--save-model-name={name}") for name in ("a", "b")]
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert "97 of 100" in output
    for name in ("a", "b"):
        folders = house.artifacts / name, house.artifacts / "alone"
        models = [
            (folder / "published/model.tflite").read_bytes() for folder in folders
        ]
        assert models[0] == models[1]
        sealed_files(house.artifacts / name / "published")


def test_notebook_opened_beside_a_batch_run_is_refused(house):
    process = house.start("--wait=30")
    house.wait_for("03_model.keras")
    command = [sys.executable, "-m", "papermill", "--no-progress-bar"]
    done = subprocess.run(
        [
            *command,
            house.folder / "notebooks/01_load.ipynb",
            house.folder / "out.ipynb",
        ],
        env=os.environ
        | {
            "ARTIFACTS_DIR": str(house.artifacts),
            "NOTEBOOKS_DIR": str(house.folder / "notebooks"),
            "PYTHONPATH": str(REPOSITORY),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"still going (process {process.pid}, started " in done.stderr
    process.terminate()
    process.communicate()


# The same again


def contents(house):
    return {
        path.relative_to(house.run).as_posix(): sha256(path.read_bytes())
        for path in house.run.rglob("*")
        if path.is_file() and path.suffix not in (".html", ".ipynb", ".lock")
    }


@pytest.mark.slow
def test_two_processes_in_two_folders_give_the_same_files(real_run, tmp_path):
    """All but what shows times: the pages and the executed notebooks."""
    other = RealHouse(tmp_path / "another folder")
    other.folder.mkdir()
    assert other.command().returncode == 0
    ours, theirs = contents(real_run), contents(other)
    kept = {name for name in ours if not name.startswith("04_saved_model/")}
    assert {n: ours[n] for n in kept} == {n: theirs[n] for n in kept}
    for name in ("SHA256SUMS", "report.json", "mnist_cnn_int8.tflite"):
        assert f"published/{name}" in kept
    report = json.loads((real_run.run / "published/report.json").read_bytes())
    versions = report["lineage"]["05_candidate.tflite"]["versions"]
    assert {"python", "machine", "threads", "tensorflow", "keras"} <= set(versions)
    assert report["parameters"]["seed"] == 1
    assert str(real_run.folder) not in json.dumps(report)


AGAIN = """
import contextlib, gc, io, json, sys
import psutil
from helpers.train_and_quantize import main
me = psutil.Process()
for number in range(int(sys.argv[1])):
    with contextlib.redirect_stdout(io.StringIO()):
        status = main(sys.argv[2:])
    gc.collect()  # what it would free sometime is no growth
    print(json.dumps({
        "status": status,
        "memory": me.memory_info().rss,
        "descriptors": me.num_fds(),
        "threads": me.num_threads(),
        "children": len(me.children(recursive=True)),
    }), flush=True)
    sys.stdin.readline()  # until the files around it have been looked at
"""


def run_again_and_again(house, times, *arguments, notebooks):
    """Run in one process many times; return its measures and the files around it."""
    places = {name: house.folder / name for name in ("home", "tmp")}
    for place in places.values():
        place.mkdir()
    environment = {
        "ARTIFACTS_DIR": str(house.artifacts),
        "NOTEBOOKS_DIR": str(notebooks),
        "PYTHONPATH": str(REPOSITORY),
        "HOME": str(places["home"]),
        "TMPDIR": str(places["tmp"]),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", AGAIN, str(times), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=house.folder,
        env=os.environ | environment,
    )
    measures, files = [], []
    for line in process.stdout:
        measures.append(json.loads(line))
        found = [path for path in house.folder.rglob("*") if path.is_file()]
        files.append(
            {p.relative_to(house.folder).as_posix(): p.stat().st_size for p in found}
        )
        process.stdin.write("\n")
        process.stdin.flush()
    assert process.wait() == 0
    assert house.processes() == []
    return measures, files


def check_no_growth(measures, files, first):
    assert all(measure["status"] == 0 for measure in measures)
    assert all(measure["children"] == 0 for measure in measures)
    for kind in ("descriptors", "threads"):
        assert measures[-1][kind] <= measures[first][kind], measures
    growth = measures[-1]["memory"] - measures[first]["memory"]
    assert growth < (len(measures) - first) * 2**20, measures
    assert set(files[-1]) == set(files[first])
    outside = [name for name in files[-1] if not name.startswith("artifacts/")]
    assert not [name for name in outside if name.startswith("tmp/")]
    assert all(files[-1][name] == files[first][name] for name in outside)


@posix
@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_runs_in_a_row_leave_no_file_no_process_and_no_memory(house, times):
    measured = run_again_and_again(house, times, notebooks=house.folder / "notebooks")
    check_no_growth(*measured, first=times // 4)


@posix
@pytest.mark.slow
def test_20_real_runs_in_a_row_leave_no_file_no_process_and_no_memory(tmp_path):
    house = RealHouse(tmp_path)
    measured = run_again_and_again(house, 20, *SAMPLE, notebooks=NOTEBOOKS)
    check_no_growth(*measured, first=5)
