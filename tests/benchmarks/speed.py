"""How fast the six notebooks are beside the original tutorial's plain script.

    python -m tests.benchmarks.speed [--rounds 3]

Runs both in turn on the same machine and data, and prints medians, ranges and ratios.
Exit status 1 if a limit is missed. Leave the machine alone meanwhile.
"""

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from helpers.artifacts import Run
from helpers.paths import REPOSITORY
from helpers.versions import versions

SCRIPT = REPOSITORY / "tests" / "benchmarks" / "original_tutorial.py"
FLAGS = ["--epochs=5", "--batch-size=64", "--save-model-name=mnist_cnn"]
LIMITS = {  # figure → highest accepted value
    "batch run / script (wall time)": 1.0,
    "LiteRT, 10,000 images / script's loop": 1 / 50,
    "TFLM, 10,000 images / script's loop": 0.35,
    "peak memory of any process (GiB)": 1.5,
    "batch run on the sample (s)": 45.0,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3, help="of each, in turn")
    rounds = parser.parse_args().rounds
    script, loop, batch, sample, memory = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            seconds, output, _ = timed([str(SCRIPT), *FLAGS], folder)
            script.append(seconds)
            loop.append(float(re.search(r"loop seconds: (\S+)", output)[1]))
            module = ["-m", "helpers.train_and_quantize"]
            seconds, _, peak = timed([*module, *FLAGS], folder)
            batch.append(seconds)
            memory.append(peak)
            seconds, _, _ = timed(
                [*module, "--dataset=mnist_5k", "--save-model-name=sample"], folder
            )
            sample.append(seconds)
            print(f"round {number + 1} of {rounds} done", file=sys.stderr)
        litert, tflm = runtimes(folder, rounds)
    print(machine())
    rows = [
        ("script, wall time (s)", script),
        ("batch run, wall time (s)", batch),
        ("script's test loop (s)", loop),
        ("LiteRT, 10,000 images (s)", litert),
        ("TFLM, 10,000 images (s)", tflm),
        ("peak memory of any process (GiB)", memory),
        ("batch run on the sample (s)", sample),
    ]
    print("| figure | median | lowest | highest |\n|---|---|---|---|")
    for name, values in rows:
        middle = statistics.median(values)
        print(f"| {name} | {middle:.2f} | {min(values):.2f} | {max(values):.2f} |")
    figures = {
        "batch run / script (wall time)": ratio(batch, script),
        "LiteRT, 10,000 images / script's loop": ratio(litert, loop),
        "TFLM, 10,000 images / script's loop": ratio(tflm, loop),
        "peak memory of any process (GiB)": max(memory),
        "batch run on the sample (s)": statistics.median(sample),
    }
    print("\n| figure | found | limit | |\n|---|---|---|---|")
    for name, found in figures.items():
        word = "ok" if found <= LIMITS[name] else "MISSED"
        print(f"| {name} | {found:.3f} | {LIMITS[name]:.3f} | {word} |")
    return int(any(found > LIMITS[name] for name, found in figures.items()))


def timed(arguments, folder):
    """Run Python; return seconds, output and the largest process in GiB."""
    environment = os.environ | {
        "ARTIFACTS_DIR": str(Path(folder, "artifacts")),
        "PYTHONPATH": str(REPOSITORY),
    }
    # A process of its own between, so that its peak memory is that of this run alone.
    watcher = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run([sys.executable, *sys.argv[1:]])\n"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "print(f'peak KiB: {peak}')\n"
        "sys.exit(done.returncode)\n"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", watcher, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    unit = 1024 if platform.system() != "Darwin" else 1  # KiB, but bytes on macOS
    peak = int(re.search(r"peak KiB: (\d+)", done.stdout)[1]) * unit / 2**30
    return seconds, done.stdout, peak


def runtimes(folder, rounds):
    """Return the seconds that LiteRT and TFLM take for all test images."""
    from helpers.board.runtimes import TFLM, LiteRT

    os.environ["ARTIFACTS_DIR"] = str(Path(folder, "artifacts"))
    run = Run("mnist_cnn")
    images = run.load_arrays("02_preprocessed.npz")["test_images"]
    model = run.load_published("mnist_cnn_int8.tflite")
    found = ([], [])
    for _ in range(rounds):
        for seconds, runtime in zip(found, (LiteRT(model), TFLM(model)), strict=True):
            started = time.perf_counter()
            runtime.run(images)
            seconds.append(time.perf_counter() - started)
    return found


def ratio(ours, theirs):
    """Return the median of the ratios of each round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def machine():
    found = ", ".join(f"{name} {value}" for name, value in versions().items())
    return f"{platform.platform()}, {os.cpu_count()} cores; {found}\n"


if __name__ == "__main__":
    sys.exit(main())
