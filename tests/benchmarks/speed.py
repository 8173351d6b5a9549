"""How long the whole batch run takes beside the plain script of Himax's tutorial.

    python -m tests.benchmarks.speed [--rounds 5]

Runs both in turn on the same machine and data, and prints medians, ranges and ratios
of wall and CPU seconds. Leave the machine alone meanwhile.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from tqdm import tqdm

from helpers.runs import REPOSITORY

SCRIPT = str(REPOSITORY / "tests" / "benchmarks" / "original_tutorial.py")
FLAGS = ["--epochs=5", "--batch-size=64", "--save-model-name=mnist_cnn"]
COMMANDS = {
    "plain script": [SCRIPT, *FLAGS],
    "batch run": ["-m", "helpers.train_and_quantize", *FLAGS],
}


def seconds(arguments, folder):
    """Return the wall and CPU seconds of a Python process and its children."""
    environment = os.environ | {"ARTIFACTS_DIR": folder, "PYTHONPATH": str(REPOSITORY)}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - started, cpu


def main():
    """Run both in turn and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each, in turn")
    rounds = parser.parse_args().rounds
    found = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in tqdm(range(rounds), unit="round"):
            for name, arguments in COMMANDS.items():
                found[name].append(seconds(arguments, folder))
    print(f"{platform.platform()}, {os.cpu_count()} cores, {rounds} rounds")
    print("| | wall seconds: median (range) | CPU seconds: median |\n|---|---|---|")
    for name, pairs in found.items():
        wall, cpu = zip(*pairs, strict=True)
        span = f"{min(wall):.1f} to {max(wall):.1f}"
        middle = statistics.median(wall)
        print(f"| {name} | {middle:.1f} ({span}) | {statistics.median(cpu):.1f} |")
    pairs = zip(found["batch run"], found["plain script"], strict=True)
    ratios = sorted(batch[0] / script[0] for batch, script in pairs)
    middle = statistics.median(ratios)
    print(f"ratio by round: {middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
