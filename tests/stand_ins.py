"""Six small notebooks that stand in for the real ones, and a way to run them.

They use the same parameters cell, artifacts and publishing as the real ones, but take a
second instead of a minute. Parameters that only they have make things happen: fail,
wait, die.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

REPOSITORY = Path(__file__).resolve().parents[1]
_NAME = 'save_model_name: str = "mnist_cnn"  # name of this run [letters and digits]\n'
_SEED = "seed: int = 1  # where random numbers start [0 to 1000]\n"
NAMES = ["01_load", "02_scale", "03_create", "04_train", "05_quantize", "06_test"]

_REPORT = """import json
report = {
    "name": save_model_name,
    "dataset": {"name": "stand-in", "notice": notice, "train_images": 4000,
                "test_images": 100},
    "accuracy": {"float": {"correct": 97, "images": 100},
                 "board": {"correct": 96, "images": 100}},
    "board_runtime": {"name": "a runtime", "is_board_runtime": True},
    "model": {"bytes": 25030, "operators": ["CONV_2D", "SOFTMAX"],
              "arena_bytes": 9920, "recommended_arena_bytes": 12288},
}
run.publish({"model.tflite": candidate, "report.json": json.dumps(report).encode()})"""

_CELLS = {
    "01_load": (
        _NAME
        + 'text: str = "plain"  # a text that the notebook prints [any text]\n'
        + "dataset: str = 'auto'  # where images would be from [auto or a path]\n",
        [
            "import numpy as np",
            "print(text)",
            "run.save_arrays('01_dataset.npz', images=np.arange(10))",
        ],
    ),
    "02_scale": (
        _NAME + "pixel_scale: float = 128.0  # what pixels are divided by [1 to 255]\n",
        [
            "images = run.load_arrays('01_dataset.npz')['images']",
            "run.save_arrays('02_scaled.npz', images=images / pixel_scale)",
            "images.sum()",
        ],
    ),
    "03_create": (_NAME + _SEED, ["run.save_bytes('03_model.keras', bytes([seed]))"]),
    "04_train": (
        _NAME
        + _SEED
        + "epochs: int = 5  # passes over the training set [1 to 1000]\n"
        + "augment: bool = True  # whether to vary the pictures [True or False]\n"
        + "learning_rate: float = 0.005  # size of a step [1e-7 to 1]\n"
        + "wait: float = 0.0  # how long it takes, in seconds [0 to 1000]\n"
        + "mishap: str = 'none'  # what goes wrong [none, fail, die or tensorflow]\n",
        [
            "import time\nfrom helpers.learn.progress import Progress",
            "scaled = run.load_arrays('02_scaled.npz')\n"
            "model = run.load_bytes('03_model.keras')",
            "with Progress(10, 'batches', 'epoch 1') as progress:\n"
            "    for batch in range(10):\n"
            "        time.sleep(wait / 10)\n"
            "        progress.update(batch + 1)",
            "# The cell that fails\n"
            "if mishap == 'fail':\n"
            "    raise ValueError('asked to fail\\nin two lines')",
            "if mishap == 'die':\n    import os\n    os.kill(os.getpid(), 9)",
            "if mishap == 'tensorflow':\n"
            "    import importlib\n"  # out of sight: other runs must not warm it
            "    from helpers.quiet import quiet\n"
            "    with quiet():\n"
            "        keras = importlib.import_module('keras')\n"
            "    import numpy as np\n"
            "    layers = [keras.Input((500,)), keras.layers.Dense(9)]\n"
            "    model = keras.Sequential(layers)\n"
            "    model.compile('sgd', 'mse')\n"
            "    run.save_bytes('04_begun.txt', b'training')\n"
            "    zeros = np.zeros((20000, 500)), np.zeros((20000, 9))\n"
            "    model.fit(*zeros, epochs=1000, verbose=0)",
            "run.save_json('04_history.json', {'epochs': epochs})",
        ],
    ),
    "05_quantize": (
        _NAME,
        [
            "run.load_json('04_history.json')",
            "run.save_bytes('05_candidate.tflite', b'abc')",
        ],
    ),
    "06_test": (
        _NAME + "notice: str = ''  # what to say about the dataset [any text]\n",
        ["candidate = run.load_bytes('05_candidate.tflite')", _REPORT],
    ),
}


def write(folder):
    """Write the six notebooks into `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (parameters, sources) in _CELLS.items():
        cells = [
            new_markdown_cell(f"# Stand-in for {name}\n\nWith $x^2$, a formula."),
            new_code_cell("from helpers.artifacts import open_run"),
            new_code_cell(parameters.strip(), metadata={"tags": ["parameters"]}),
            new_code_cell(f"run = open_run('{name}', globals())"),
            new_markdown_cell("## What it does"),
            *map(new_code_cell, sources),
        ]
        for number, cell in enumerate(cells):
            cell.id = f"cell-{number}"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


@dataclass
class House:
    """A place with stand-in notebooks where commands can run.

    Attributes
    ----------
    folder : Path
    prefix : tuple of str
        Words before the command, such as those of a program that takes rights away.
    """

    folder: Path
    prefix: tuple = ()

    @property
    def artifacts(self):
        return self.folder / "artifacts"

    @property
    def run(self):
        return self.artifacts / "mnist_cnn"

    def start(
        self,
        *arguments,
        module="helpers.train_and_quantize",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **environment,
    ):
        """Start a command and return its process."""
        variables = {
            "NOTEBOOKS_DIR": str(self.folder / "notebooks"),
            "ARTIFACTS_DIR": str(self.artifacts),
            "PYTHONPATH": str(REPOSITORY),
        }
        return subprocess.Popen(
            [*self.prefix, sys.executable, "-m", module, *arguments],
            stdout=stdout,
            stderr=stderr,
            text=True,
            encoding="utf-8",
            cwd=self.folder,
            env=os.environ | variables | environment,
        )

    def command(self, *arguments, **options):
        """Run a command to its end: returncode, stdout and stderr."""
        process = self.start(*arguments, **options)
        output, errors = process.communicate(timeout=120)
        return subprocess.CompletedProcess(
            arguments, process.returncode, output, errors
        )

    def wait_for(self, path, seconds=60):
        """Wait until a file of the run is there."""
        deadline = time.monotonic() + seconds
        while not (self.run / path).exists():
            assert time.monotonic() < deadline, f"{path} did not appear"
            time.sleep(0.02)

    def executed(self, name):
        """Return an executed notebook."""
        path = self.run / "notebooks" / f"{name}.ipynb"
        return nbformat.read(path, as_version=4)

    def processes(self):
        """Return the ids of the processes that belong to this house."""
        import psutil

        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("ARTIFACTS_DIR") == str(self.artifacts):
                    found.append(process.pid)
            except (psutil.Error, OSError):
                continue
        return found


def house(folder):
    """Return a house in `folder` with its notebooks written."""
    write(folder / "notebooks")
    return House(folder)
