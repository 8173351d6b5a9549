"""Artifacts that are missing, damaged or stale; two at once; killed writers."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from stand_ins import needs_posix, published

from helpers import files, runs
from helpers.files import TutorialError

REPORT = b'{"dataset": {"name": "a"}}'
MAKERS = {path.name[:2]: path.stem for path in runs.NOTEBOOKS.glob("0*.ipynb")}
CHAIN = {  # artifact: what it is made from
    "01_dataset.npz": [],
    "02_preprocessed.npz": ["01_dataset.npz"],
    "03_model.json": [],
    "04_results.json": ["02_preprocessed.npz", "03_model.json"],
    "05_candidate.tflite": ["02_preprocessed.npz", "04_results.json"],
    "06_results.json": ["05_candidate.tflite"],
}
NOTEBOOK = "02_preprocess_data", {"save_model_name": "a", "pixel_scale": 128}
WRITER = """
import random
from helpers.runs import Run
run = Run("killed", "05_quantize_model")
while True:
    data = random.randbytes(30_000)
    run.save("05_candidate.tflite", data)
    run.publish({"model.tflite": data, "a/model.cc": data})
    print(flush=True)
"""
OWNER = "from helpers import runs\nwith runs.lock('a'): input(print(flush=True))"


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path / "artifacts"))
    return tmp_path / "artifacts"


def value(artifact, seed=0):
    data = np.arange(seed, seed + 50, dtype=np.uint8)
    kinds = {"npz": {"images": data}, "json": {"seed": seed}, "tflite": bytes(data)}
    return kinds[artifact.partition(".")[2]]


def make(artifact, seed=0):
    run = runs.Run("a", MAKERS[artifact[:2]], {f"seed_{artifact[:2]}": seed})
    for source in CHAIN[artifact]:
        run.load(source)
    run.save(artifact, value(artifact, seed))


@pytest.fixture
def run(root):
    (root / "a").mkdir(parents=True)
    for artifact in CHAIN:
        make(artifact)
    return runs.Run("a", "06_test_quantized_model")


def refusal(run, artifact):
    with pytest.raises(TutorialError) as error:
        run.load(artifact)
    return str(error.value)


def test_artifacts_come_back_as_they_were_saved_with_their_parameters(run):
    for artifact in CHAIN:
        np.testing.assert_equal(run.load(artifact), value(artifact))
    assert run.history() == {f"seed_{artifact[:2]}": 0 for artifact in CHAIN}


@pytest.mark.parametrize("artifact", CHAIN)
def test_artifact_that_is_damaged_is_named_with_its_notebook(run, artifact):
    path, beside = run.folder / artifact, run.folder / f"{artifact}.json"
    for target in (path, beside):
        whole = target.read_bytes()
        flipped = [whole[:i] + b"#" + whole[i + 1 :] for i in range(0, len(whole), 3)]
        for damaged in (b"", whole[:-9], b"[1, 2]", b'{"sha256": 1}', None, *flipped):
            target.unlink() if damaged is None else target.write_bytes(damaged)
            try:
                np.testing.assert_equal(run.load(artifact), value(artifact))
                assert target == beside and damaged in flipped  # such as a version
            except TutorialError as error:
                assert "run notebook 0" in str(error)
                assert MAKERS[artifact[:2]] in str(error) or damaged in flipped
        target.write_bytes(whole)


@pytest.mark.parametrize("artifact", CHAIN)
def test_artifact_made_anew_makes_all_after_it_stale(run, artifact):
    make(artifact)  # the same again
    assert all(run.load(other) is not None for other in CHAIN)
    make(artifact, seed=1)
    stale = {artifact}
    for other, sources in CHAIN.items():
        if stale & set(sources):
            stale.add(other)
            assert "is stale" in refusal(run, other)
        else:
            run.load(other)


def test_artifact_made_with_another_value_of_a_parameter_is_refused(run):
    runs.Run("a", "", {"save_model_name": "a", "seed": 1}).save("03_model.json", 0)
    runs.Run("a", "", {"save_model_name": "moved", "seed": 1}).load("03_model.json")
    with pytest.raises(TutorialError, match="another seed, 1; run notebook 03"):
        runs.Run("a", "", {"seed": 2}).load("03_model.json")


def test_publish_of_what_became_stale_is_refused_and_keeps_the_old(run):
    run.publish({"model.tflite": b"old"})
    run.load("05_candidate.tflite")
    make("03_model.json", seed=1)
    with pytest.raises(TutorialError, match="stale"):
        run.publish({"model.tflite": b"new"})
    assert run.published("model.tflite") == b"old"


def test_publish_replaces_the_folder_as_a_whole_with_its_checksums(run):
    assert run.published_dataset() == ""
    run.publish({"report.json": b"{}", "old/model.cc": b"1"})
    run.publish({"report.json": REPORT, "new/model.cc": b"2"})
    folder = run.folder / "published"
    assert run.published_dataset() == "a" and not (folder / "old").exists()
    assert published(run.folder)["new/model.cc"] == run.published("new/model.cc")
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, check=True)
    with pytest.raises(TutorialError, match="06_test_quantized_model"):
        run.published("old/model.cc")


def test_what_a_kill_left_is_brought_back_and_cleaned_up(run):
    run.publish({"report.json": REPORT})
    (run.folder / f".published-{os.getpid()}-partial").mkdir()  # had the same number
    os.rename(run.folder / "published", run.folder / ".published.previous")
    with runs.lock("a"):
        assert run.published_dataset() == "a"
    (run.folder / ".published.previous" / "old").mkdir(parents=True)
    run.publish({"report.json": b"{}"})
    assert not list(run.folder.glob(".published*"))


@needs_posix
def test_writer_killed_at_random_leaves_everything_whole(root):
    chance, run = random.Random(1), runs.Run("killed")
    run.folder.mkdir(parents=True)
    for _ in range(12):
        command = [sys.executable, "-c", WRITER]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()  # it writes
        time.sleep(chance.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        model, other = published(run.folder).values()
        assert model == other and len(model) == 30_000
        try:
            assert len(run.load("05_candidate.tflite")) == 30_000
        except TutorialError as error:  # killed between artifact and JSON file
            assert "05_quantize_model" in str(error)


def test_run_that_a_batch_run_owns_is_refused_to_others(run):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    batch = subprocess.Popen([sys.executable, "-c", OWNER], **pipes)
    batch.stdout.readline()
    with pytest.raises(TutorialError, match="still going"), runs.lock("a"):
        pass
    with pytest.raises(TutorialError, match="still going"):
        runs.open(*NOTEBOOK)
    batch.communicate(b"\n")
    with runs.lock("a"):
        runs.open(*NOTEBOOK)  # its own notebooks may write


def test_notebook_of_another_clone_or_with_a_wrong_parameter_is_refused(
    tmp_path, root, monkeypatch
):
    (tmp_path / "clone" / "helpers").mkdir(parents=True)
    (tmp_path / "clone" / "helpers" / "runs.py").touch()
    monkeypatch.chdir(tmp_path / "clone" / "helpers")
    with pytest.raises(TutorialError, match=re.escape(f"in {tmp_path / 'clone'}.")):
        runs.open(*NOTEBOOK)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TutorialError, match="pixel_scale"):
        runs.open(NOTEBOOK[0], {"save_model_name": "a", "pixel_scale": 0.5})
    assert not root.exists()


def test_quiet_shows_what_it_held_back_only_on_an_error(capfd):
    with pytest.raises(KeyError), files.quiet():
        os.write(1, b"from C\n")
        print("from Python")
        raise KeyError
    assert capfd.readouterr() == ("", "from C\nfrom Python\n")
    with files.quiet():
        print("from Python")
    assert capfd.readouterr() == ("", "")
