"""Measure what a sweep costs and what a second worker brings.

``python -m tests.benchmarks.sweep`` does 8 runs of the 5,000 images, which differ in
their seed, in three ways: one after the other by the batch command, as a sweep with one
worker, and as a sweep with two. The first two get one core, the last two cores: each
worker always has one. It ends with status 1 if two workers are less than 1.6 times as
fast as one, or if the sweep takes over 5 % more time than the plain commands.

All make the pages of each run. The sweep loads the images once instead of 8 times; what
it costs without that gain is printed too: all its time outside of the runs.
"""

import argparse
import csv
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from helpers.paths import REPOSITORY
from helpers.sweeps.process import thread_settings

LEAST_SPEED_UP = 1.6
MOST_OVERHEAD = 0.05


def main(arguments=None):
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args(arguments)
    cores = sorted(getattr(os, "sched_getaffinity", lambda _: [])(0))
    if len(cores) < 2:
        print("This needs Linux and two cores.", file=sys.stderr)
        return 2
    print(f"{platform.platform()}, {os.cpu_count()} cores, {options.runs} runs")
    with tempfile.TemporaryDirectory() as folder:
        plain = _sequential(options, Path(folder), cores[:1])
        print(f"one after the other, one core:   {plain:6.1f} s", flush=True)
        one, inside, _ = _sweep(options, Path(folder, "one"), cores[:1])
        print(f"sweep, one worker, one core:     {one:6.1f} s", flush=True)
        two, _, trained = _sweep(options, Path(folder, "two"), cores[:2])
        print(f"sweep, two workers, two cores:   {two:6.1f} s", flush=True)
    assert trained == options.runs, "runs that differ in the seed share no training"
    overhead, speed_up = one / plain - 1, one / two
    print(f"outside of the runs, one worker: {one - inside:6.1f} s")
    print(f"overhead over plain commands: {100 * overhead:+.1f} % (at most +5 %)")
    print(f"speed-up by the second worker: {speed_up:.2f} (at least 1.6)")
    return 0 if speed_up >= LEAST_SPEED_UP and overhead <= MOST_OVERHEAD else 1


def _sequential(options, folder, cores):
    seconds = 0.0
    for seed in range(options.runs):
        arguments = [f"--seed={seed}", f"--epochs={options.epochs}"]
        seconds += _timed(
            ["helpers.train_and_quantize", "--dataset=mnist_5k", *arguments],
            cores,
            ARTIFACTS_DIR=str(folder / f"plain-{seed}"),
        )
    return seconds


def _sweep(options, out, cores):
    """Return seconds, seconds inside the runs, and how many runs trained."""
    seeds = ",".join(map(str, range(options.runs)))
    settings = [f"--set=seed={seeds}", f"--set=epochs={options.epochs}"]
    command = ["helpers.sweep", *settings, "--set=dataset=mnist_5k", "--pages"]
    # As many workers as cores, as on any machine.
    seconds = _timed([*command, "--out", str(out)], cores)
    with open(out / "sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["done"] * options.runs
    trained = sum("04" in row["notebooks_run"].split() for row in rows)
    return seconds, sum(float(row["seconds"]) for row in rows), trained


def _timed(command, cores, **environment):
    begun = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", *command],
        env=thread_settings(1) | {"PYTHONPATH": str(REPOSITORY)} | environment,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
