"""Six small notebooks in place of the real ones, and a folder in which they run.

They pass on artifacts and publish as the real ones do, without TensorFlow. Parameters
that only they have make things happen: fail, wait, die.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from helpers.files import restore_folder
from helpers.report import Accuracy, Check, Dataset, Model, Report, Runtime, Score

REPOSITORY = Path(__file__).resolve().parents[1]
needs_posix = pytest.mark.skipif(os.name != "posix", reason="sends signals: use Linux")
NAME = (
    'save_model_name: str = "mnist_cnn"  # name of this run [any letters and digits]\n'
)
SEED = "seed: int = 1  # start of all random numbers [0 to 255]\n"
# Stem, then cells divided by ---; the first is the parameters cell.
NOTEBOOKS = r"""=== 01_load_dataset
NAME dataset: str = "auto"  # where images come from [auto or any path]
---
left_over = 1
os.getpid()
---
run.save("01_dataset.npz", {"images": np.arange(5) ** 2})
=== 02_preprocess_data
NAME pixel_scale: float = 128.0  # what pixels are divided by [1.0 to 255.0]
---
sys.executable
---
images = run.load("01_dataset.npz")["images"]
run.save("02_preprocessed.npz", {"images": images / pixel_scale})
=== 03_create_model
NAME SEED ---
os.getpid(), "left_over" in globals()
---
run.save("03_model.json", {"seed": seed})
=== 04_train_model
NAME SEED batch_size: int = 64  # images per step [1 to 4096]
augment: bool = True  # vary the training images at random
learning_rate: float = 0.005  # size of a step [0.000001 to 1.0]
wait: float = 0.0  # seconds that it takes [0.0 to 1000.0]
mishap: str = "none"  # what goes wrong [none, fail or die]
---
batch_size, augment, learning_rate, seed
---
run.load("02_preprocessed.npz"), run.load("03_model.json")
print("Epoch 1/2\n9/9 - 1s - accuracy: 0.5 - loss: 1.5\nEpoch 2/2")
time.sleep(wait)
if mishap == "fail":
    raise ValueError("asked to fail\nin two lines")
if mishap == "die":
    os.kill(os.getpid(), 9)
run.save("04_results.json", {"seed": seed})
=== 05_quantize_model
NAME ---
seed = run.load("04_results.json")["seed"]
run.save("05_candidate.tflite", bytes(range(256)) * 40 + bytes([seed]))
=== 06_test_quantized_model
NAME notice: str = ""  # what to say about the dataset [any text]
after: int = 971  # right answers of 1,000 [0 to 1000]
---
model = run.load("05_candidate.tflite")
sentence = f"{after} of 1,000 are right, where 960 are expected."
remedy = "What can change this is notebook 4; run it and those after it again."
made_from = run.history()
results = report.Report(
    name=run.name,
    dataset=report.Dataset("squares", 60, 1000, notice),
    accuracy=report.Accuracy(report.Score(970, 1000), report.Score(after, 1000)),
    runtime=report.Runtime("a runtime", is_tflm=True),
    model=report.Model(len(model), "", [], 900, 1000, ""),
    camera=[],
    parameters=made_from,
    gate=[report.Check("accuracy", after >= 960, sentence, notebook=4)],
)
run.save("06_results.json", results.to_dict())
---
if after < 960:
    raise files.TutorialError(f"{sentence} {remedy}")
made = {
    f"{run.name}_int8.tflite": model,
    "report.json": json.dumps(results.to_dict()).encode(),
    "himax_we1_evb/model_data.cc": b"//" + model,
}
run.publish(made)
"""
NOTEBOOKS = NOTEBOOKS.replace("NAME ", NAME).replace("SEED ", SEED)
# By notebook: its cells, with lines of three dashes between them.
CELLS = dict(part.split("\n", 1) for part in NOTEBOOKS.split("=== ")[1:])


def report(images, correct_before, correct_after, notice=""):
    """Return a `Report` on a run with these numbers; its gate wants 96 %."""
    passed = correct_after >= 0.96 * images
    return Report(
        name="mnist_cnn",
        dataset=Dataset("MNIST", 60_000, images, notice),
        accuracy=Accuracy(Score(correct_before, images), Score(correct_after, images)),
        runtime=Runtime("TensorFlow Lite Micro", is_tflm=True),
        model=Model(24_784, "0" * 64, ["CONV_2D", "SOFTMAX"], 9_920, 12_288, "A rule."),
        camera=[],
        parameters={"seed": 1},
        gate=[Check("accuracy", passed, f"{correct_after} are right.", notebook=4)],
    )


def model(seed):
    """Return the bytes of the model that a run with this seed publishes."""
    return bytes(range(256)) * 40 + bytes([seed])


def published(run_folder):
    """Return what a run has published, by path, each file checked by SHA256SUMS."""
    folder = run_folder / "published"
    restore_folder(folder)  # as the next run does
    files = {}
    sums = []
    for path in folder.rglob("*.*"):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            files[name] = path.read_bytes()
            sums.append(f"{hashlib.sha256(files[name]).hexdigest()}  {name}")
    assert sorted(sums) == sorted((folder / "SHA256SUMS").read_text().splitlines())
    return files


def write(folder, notebooks):
    """Write notebooks into `folder`; each is given as `CELLS` has it."""
    folder.mkdir(parents=True)
    for stem, text in notebooks.items():
        parameters, *sources = text.split("---\n")
        imports = (
            "import json, os, sys, time\nimport numpy as np\n"
            "from helpers import files, report, runs"
        )
        opening = f'run = runs.open("{stem}", globals())'
        codes = [imports, parameters.strip(), opening, *sources]
        cells = [new_markdown_cell(f"# Stand-in {stem}"), *map(new_code_cell, codes)]
        cells[2].metadata["tags"] = ["parameters"]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, folder / f"{stem}.ipynb")
    # A copy, as VS Code and Finder name it, is no step: it could not even be read.
    (folder / "04_train_model copy.ipynb").write_text("{", encoding="utf-8")


class House:
    """A copy of the helpers with stand-in notebooks, and artifacts of its own.

    A kernel is registered there as ``python3`` that cannot start: the batch command has
    to start its own Python.
    """

    def __init__(self, folder, notebooks=CELLS):
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self.run = self.artifacts / "mnist_cnn"
        self.environment = os.environ | {
            "ARTIFACTS_DIR": str(self.artifacts),
            "PYTHONPATH": str(folder / "clone"),
            "JUPYTER_PATH": str(folder / "jupyter"),
        }
        shutil.copytree(REPOSITORY / "helpers", folder / "clone" / "helpers")
        write(folder / "clone" / "notebooks", notebooks)
        # An optional library of jsonschema that takes a second to load.
        (folder / "rfc3987_syntax.py").write_text("raise ImportError")
        registered = folder / "jupyter" / "kernels" / "python3"
        registered.mkdir(parents=True)
        spec = {"argv": ["/absent/python", "{connection_file}"], "language": "python"}
        spec["display_name"] = "Python 3"
        (registered / "kernel.json").write_text(json.dumps(spec))

    def start(self, *arguments, stderr=subprocess.PIPE):
        """Start the batch command and return its process."""
        return subprocess.Popen(
            [sys.executable, "-m", "helpers.train_and_quantize", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def command(self, *arguments):
        """Run the batch command to its end: returncode, stdout and stderr."""
        process = self.start(*arguments)
        stdout, stderr = process.communicate(timeout=300)
        assert "Traceback" not in stdout + stderr, stdout + stderr
        return subprocess.CompletedProcess(
            arguments, process.returncode, stdout, stderr
        )

    def processes(self):
        """Return the processes of this house that do not end within five seconds."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            found = self._processes_now()
            if not found:
                return []
            time.sleep(0.1)
        return found

    def _processes_now(self):
        found = []
        for process in psutil.process_iter(["environ"]):
            environment = process.info["environ"] or {}
            if environment.get("ARTIFACTS_DIR") == str(self.artifacts):
                found.append(process)
        return found
