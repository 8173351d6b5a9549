"""A disk that is full, read-only or gone: one sentence, and the old files untouched."""

import os
import shutil
import subprocess
import sys

import pytest
import stand_ins

from helpers.artifacts import Run
from helpers.errors import TutorialError
from helpers.sealed import sealed_files

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs a small disk of its own: run on Linux"
)
UP_TO_DATE = "--epochs=5"


def _mount(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True)


@pytest.fixture
def house(tmp_path):
    """Return a house whose artifacts lie on a disk of 8 MB, where one run succeeded."""
    house = stand_ins.house(tmp_path)
    house.artifacts.mkdir()
    if _mount("-t", "tmpfs", "-o", "size=8m", "none", house.artifacts).returncode:
        pytest.skip("needs the right to mount a small disk: run as root")
    try:
        assert house.command(UP_TO_DATE).returncode == 0
        yield house
    finally:
        subprocess.run(["umount", "-l", house.artifacts], check=True)


def fill(house, left):
    """Leave `left` bytes free, in whole pages."""
    free = shutil.disk_usage(house.artifacts).free
    (house.artifacts / "filler").write_bytes(bytes(max(0, free - left)))


def published(house):
    folder = house.run / "published"
    sealed_files(folder)
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def fails_with_one_sentence(house, *arguments):
    result = house.command(*arguments)
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    sentences = [ln for ln in result.stderr.splitlines() if not ln.startswith("[")]
    assert len(sentences) == 1, result.stderr
    assert house.processes() == []
    return sentences[0]


def test_full_disk_ends_a_run_with_one_sentence_and_keeps_what_was_published(house):
    before = published(house)
    fill(house, 0)
    sentence = fails_with_one_sentence(house, "--epochs=7", "--pixel-scale=2")
    assert "No space left" in sentence or "disk" in sentence, sentence
    assert published(house) == before
    (house.artifacts / "filler").unlink()
    result = house.command("--epochs=7", "--pixel-scale=2")
    assert result.returncode == 0, result.stderr
    assert not list(house.run.glob(".partial-*"))


@pytest.mark.slow
def test_disk_that_fills_up_during_a_run_never_harms_what_was_published(house):
    statuses = []
    for kilobytes in (4, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768):
        before = published(house)
        for shown in ("report", "notebooks"):  # a run removes them, and has that room
            shutil.rmtree(house.run / shown)
        fill(house, kilobytes * 1024)
        arguments = ("--pixel-scale=2", f"--notice={kilobytes} kB")
        result = house.command(*arguments)
        assert "Traceback" not in result.stdout + result.stderr
        assert result.returncode in (0, 1), result.stderr
        statuses.append(result.returncode)
        found = published(house)
        (house.artifacts / "filler").unlink()
        result = house.command(*arguments)
        assert result.returncode == 0, result.stderr
        after = published(house)
        assert after != before and found in (before, after)
        assert not list(house.run.glob(".partial-*"))
    assert 1 in statuses and 0 in statuses, "fill it to other levels"


def test_read_only_disk_ends_a_run_with_one_sentence(house):
    before = published(house)
    assert _mount("-o", "remount,ro", house.artifacts).returncode == 0
    sentence = fails_with_one_sentence(house, "--epochs=7")
    assert "Read-only" in sentence and "ARTIFACTS_DIR" in sentence
    assert published(house) == before
    _mount("-o", "remount,rw", house.artifacts)
    assert house.command("--epochs=7").returncode == 0


def test_folder_without_permission_ends_a_run_with_one_sentence(tmp_path):
    house = stand_ins.house(tmp_path)
    if os.geteuid() == 0:  # who may write anywhere, unless told otherwise
        house.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
        if not shutil.which("setpriv"):
            pytest.skip("root may write anywhere: run as an ordinary user")
    assert house.command().returncode == 0
    before = published(house)
    house.run.chmod(0o555)
    try:
        sentence = fails_with_one_sentence(house, "--epochs=7")
        assert "Permission denied" in sentence and "ARTIFACTS_DIR" in sentence
        assert published(house) == before
    finally:
        house.run.chmod(0o755)
    assert house.command("--epochs=7").returncode == 0


# Single artifacts, on a disk with room for the old one only


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    if _mount("-t", "tmpfs", "-o", "size=1m", "none", tmp_path).returncode:
        pytest.skip("needs the right to mount a small disk: run as root")
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path))
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def test_writers_on_a_full_disk_give_a_sentence_and_keep_the_old(small_disk, trained):
    run = Run("a", "04_train_model", {"save_model_name": "a"})
    run.save_bytes("04_history.json", b"{}")
    run.save_saved_model("04_saved_model", trained())
    run.publish({"model.tflite": b"old"})
    attempts = [
        lambda: run.save_bytes("04_history.json", bytes(300_000)),
        lambda: run.save_model("04_model.keras", trained()),
        lambda: run.save_saved_model("04_saved_model", trained()),
        lambda: run.publish({"model.tflite": bytes(300_000)}),
    ]
    free = shutil.disk_usage(small_disk).free
    (small_disk / "filler").write_bytes(bytes(free - 50_000))
    for attempt in attempts:
        with pytest.raises(TutorialError, match="No space left") as error:
            attempt()
        assert "\n" not in str(error.value) and "free some space" in str(error.value)
    assert run.load_json("04_history.json") == {}
    assert run.load_published("model.tflite") == b"old"
    assert "saved_model.pb" in sealed_files(run.path("04_saved_model"))
    assert not list(run.folder.glob(".partial-*"))


def test_full_disk_for_temporary_files_gives_a_sentence(small_disk, trained, tmp_path):
    run = Run("a", "04_train_model", {"save_model_name": "a"})
    full = small_disk / "tmp"
    full.mkdir()
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(full))
        with pytest.raises(TutorialError, match="No space left"):
            run.save_model("04_model.keras", trained())
    assert list(full.iterdir()) == []


def test_folder_removed_meanwhile_gives_a_sentence_or_a_whole_artifact(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path))
    run = Run("a", "04_train_model", {"save_model_name": "a"})
    run.save_bytes("03_model.keras", b"")
    run.load_bytes("03_model.keras")
    shutil.rmtree(run.folder)
    run.save_bytes("04_history.json", b"{}")  # the lock makes the folder anew
    assert run.load_json("04_history.json") == {}
    shutil.rmtree(run.folder)
    for attempt in (
        lambda: run.publish({"model.tflite": b"new"}),
        lambda: run.load_bytes("04_history.json"),
    ):
        with pytest.raises(TutorialError, match="is missing") as error:
            attempt()
        assert "\n" not in str(error.value)
    assert not run.published.exists()
