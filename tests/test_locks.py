"""Locks: one writer at a time, and nothing left locked by a process that died."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from helpers import locks
from helpers.errors import TutorialError

HOLD = """
import sys, time
from pathlib import Path
from helpers import locks
folder = Path(sys.argv[1])
with getattr(locks, sys.argv[2])(folder):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path))
    monkeypatch.delenv(locks.OWNER, raising=False)
    (tmp_path / "a").mkdir()
    return tmp_path / "a"


@pytest.fixture
def other(folder):
    """Return a function that lets another process hold a lock."""
    processes = []

    def hold(kind):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder), kind],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        processes.append(process)
        assert process.stdout.readline().strip() == b"held"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def refusal(context):
    with pytest.raises(TutorialError) as error, context:
        pass
    return str(error.value)


def test_second_batch_is_refused_with_process_and_start_of_the_first(folder, other):
    first = other("batch")
    text = refusal(locks.batch(folder))
    started = json.loads((folder / ".batch.lock.json").read_bytes())["started"]
    assert f"process {first.pid}, started {started}" in text
    assert folder.as_posix() in text and "another save_model_name" in text


def test_notebook_may_not_write_while_a_batch_runs(folder, other):
    first = other("batch")
    assert str(first.pid) in refusal(locks.writing(folder))
    with pytest.raises(TutorialError, match=str(first.pid)):
        locks.check_free(folder)


def test_kernel_of_the_batch_may_write(folder, other, monkeypatch):
    monkeypatch.setenv(locks.OWNER, str(other("batch").pid))
    with locks.writing(folder):
        pass


def test_kernel_of_another_batch_may_not_write(folder, other, monkeypatch):
    other("batch")
    monkeypatch.setenv(locks.OWNER, "1")
    refusal(locks.writing(folder))


def test_runs_in_two_folders_do_not_disturb_each_other(folder, other):
    other("batch")
    (folder.parent / "b").mkdir()
    with locks.batch(folder.parent / "b"), locks.writing(folder.parent / "b"):
        pass


@pytest.mark.parametrize("kind", ["batch", "writing"])
def test_lock_of_a_killed_process_is_free_at_once(folder, other, kind):
    process = other(kind)
    process.kill()
    process.wait()
    with locks.batch(folder), locks.writing(folder):
        pass


@pytest.mark.skipif(os.name != "posix", reason="needs SIGINT: run on Linux or macOS")
def test_interrupted_batch_leaves_no_owner_behind(folder, other):
    process = other("batch")
    process.send_signal(signal.SIGINT)
    process.wait()
    assert not (folder / ".batch.lock.json").exists()
    locks.check_free(folder)


def test_batch_removes_what_killed_runs_left(folder):
    (folder / ".partial-x").write_bytes(b"")
    with locks.batch(folder):
        assert not (folder / ".partial-x").exists()
        assert os.environ[locks.OWNER] == str(os.getpid())
    assert locks.OWNER not in os.environ


def test_writing_waits_for_another_writer(folder, other, monkeypatch):
    process = other("writing")
    threading.Timer(0.5, process.kill).start()
    begun = time.monotonic()
    with locks.writing(folder):
        assert time.monotonic() - begun > 0.3
    monkeypatch.setattr(locks, "_PATIENCE", 0.1)
    other("writing")
    assert "another program" in refusal(locks.writing(folder))


def test_many_who_try_the_lock_at_once_do_not_refuse_each_other(folder):
    with locks.batch(folder):
        pass
    refused = []

    def try_often():
        for _ in range(50):
            try:
                locks.check_free(folder)
            except TutorialError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=try_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []


def test_disk_that_cannot_lock_gives_a_sentence(folder, monkeypatch):
    def refuse(*_, **__):
        raise NotImplementedError("this disk knows no locks")

    monkeypatch.setattr(locks.FileLock, "acquire", refuse)
    assert "this disk knows no locks" in refusal(locks.batch(folder))


def test_owner_file_with_anything_inside_does_not_matter(folder, other):
    other("batch")
    for content in (b"", b"{", b"[]", b"\xff", b"null"):
        (folder / ".batch.lock.json").write_bytes(content)
        assert "batch run that is still going" in refusal(locks.batch(folder))
