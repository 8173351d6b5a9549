"""A program that is killed while it writes, once at each point where it could be.

``python killed_writer.py FOLDER COUNT [JOB]`` prints a line of JSON: how many times it
was killed, COUNT of them at random, and what was wrong afterwards. It forks for each
kill, so that hundreds take seconds.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from helpers import artifacts, files, locks, sealed
from helpers.errors import TutorialError

# Every call by which the package changes what is on a disk.
CALLS = ["open", "close", "fsync", "chmod", "mkdir", "rmdir", "replace", "rename"]
CALLS += ["unlink", "remove"]
OLD = {"model.tflite": b"old" * 999, "board/model.h": b"old", "report.json": b"{}"}
NEW = {"model.tflite": b"new" * 999, "board/model.h": b"new", "extra": b"new"}


def open_run():
    return artifacts.Run("run", "06_test_quantized_model", {"save_model_name": "run"})


def save(run):
    run.save_bytes("05_candidate.tflite", NEW["model.tflite"])


def publish(run):
    run.publish(NEW)


def make_folder(run):
    with locks.writing(run.folder), files.new_folder(run.path("04_saved_model")) as f:
        (f / "variables").mkdir()
        (f / "variables" / "data").write_bytes(b"new")
        sealed.seal(f)


def batch(run):
    with locks.batch(run.folder):
        save(run)
        publish(run)


def without_exchange(run):
    files._exchange = lambda *_: False
    publish(run)


def careless(run):
    """What the package does not do; the tests must notice it."""
    with locks.writing(run.folder):
        for name, data in NEW.items():
            os.remove(path) if (path := run.published / name).exists() else None
            path.write_bytes(data)
        sealed.seal(run.published)


JOBS = [save, publish, make_folder, batch, without_exchange]


def prepare(folder):
    """Make a run in which something has been saved and published."""
    shutil.rmtree(folder, ignore_errors=True)
    os.environ["ARTIFACTS_DIR"] = str(folder)
    run = open_run()
    run.save_bytes("05_candidate.tflite", OLD["model.tflite"])
    run.publish(OLD)


def wrong_afterwards(job):
    """Return what is wrong after a kill, as a list of texts."""
    wrong = []
    run = artifacts.Run("run")
    try:
        if run.load_bytes("05_candidate.tflite") not in (
            OLD["model.tflite"],
            NEW["model.tflite"],
        ):
            wrong.append("a candidate that nobody wrote was accepted")
        listed = sealed.sealed_files(run.published)
        found = {name: run.load_published(name) for name in listed}
        if found not in (OLD, NEW):
            wrong.append(f"published is a mixture: {sorted(found)}")
        if run.path("04_saved_model").exists():
            sealed.sealed_files(run.path("04_saved_model"))
        batch(open_run())  # the next run needs no cleaning up by hand
        after = {name: run.load_published(name) for name in NEW}
        left = [p.name for p in run.folder.iterdir() if p.name.startswith(".partial")]
        if after != NEW or left:
            wrong.append(f"the next run left {left}")
    except (TutorialError, OSError) as error:
        wrong.append(f"{type(error).__name__}: {error}")
    return [f"{job.__name__}: {text}" for text in wrong]


def in_child(work):
    """Run `work` in a forked process; return its process id."""
    child = os.fork()
    if child:
        return child
    with contextlib.suppress(BaseException):
        work()
        os._exit(0)
    os._exit(1)


def kill_at_call(job, number):
    """Return whether the job ended before its call `number` of the system."""
    calls = 0

    def counted(call):
        def function(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return function

    def work():
        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        files._exchange = counted(files._exchange)
        job(open_run())

    status = os.waitstatus_to_exitcode(os.waitpid(in_child(work), 0)[1])
    if status not in (0, -signal.SIGKILL):
        raise SystemExit(f"{job.__name__} failed by itself")
    return status == 0


def kill_at_random(job, seconds):
    def work():
        while True:
            job(open_run())

    child = in_child(work)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def main(folder, count, jobs):
    kills, wrong = 0, []
    for job in jobs:
        for number in range(1, 1000):
            prepare(folder)
            if kill_at_call(job, number):
                break
            kills += 1
            wrong += [f"{text} (call {number})" for text in wrong_afterwards(job)]
    rng = random.Random(0)
    for _ in range(count):
        prepare(folder)
        kill_at_random(publish, rng.uniform(0, 0.03))
        kills += 1
        wrong += wrong_afterwards(publish)
    print(json.dumps({"kills": kills, "wrong": wrong}))


if __name__ == "__main__":
    named = [globals()[name] for name in sys.argv[3:]]
    main(Path(sys.argv[1]), int(sys.argv[2]), named or JOBS)
