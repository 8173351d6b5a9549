"""Real, small models for the tests, made by the notebooks' own cells.

Network, representative dataset and converter come from the cells of notebooks 3 and 5
that have these tags, so that a mistake in a lesson fails a test. The models are trained
once in a session, on the bundled sample.
"""

import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"

# A job in the background ignores Ctrl-C, and so would every program that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item):
    if item.get_closest_marker("tflm"):
        from helpers import tflite

        if tflite.tflm_problem():
            pytest.skip(f"needs tflite-micro, but {tflite.tflm_problem()}")


def need(tool, package, linux_only=False):
    """Skip a test where a program is missing."""
    if not shutil.which(tool) or (linux_only and sys.platform != "linux"):
        pytest.skip(f"needs {tool} on Linux: apt-get install {package}")


def cells_of(number):
    """Return all cells of notebook `number`, as it is stored."""
    [path] = NOTEBOOKS.glob(f"{number:02}_*.ipynb")
    return nbformat.read(path, as_version=4).cells


def notebook_cells(number, tag):
    """Return the source of each code cell of notebook `number` that has this tag."""
    sources = []
    for cell in cells_of(number):
        if cell.cell_type == "code" and tag in cell.metadata.get("tags", []):
            sources.append(cell.source)
    assert sources, f"notebook {number} has no code cell with the tag {tag!r}"
    return sources


def prose_of(number):
    """Return the text between the code cells of notebook `number`."""
    cells = cells_of(number)
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def stored_text(number):
    """Return all that notebook `number` has printed and shows as text."""
    texts = []
    for cell in cells_of(number):
        for output in cell.get("outputs", []):
            texts.append(output.get("text", ""))
            texts.append(output.get("data", {}).get("text/plain", ""))
    return "\n".join(texts)


def run_cells(sources, **names):
    """Execute the sources of cells with these names; return all names after it.

    A cell sees nothing but what it is given, so it cannot use what it should not.
    """
    names = {"np": np, **names}
    for source in sources:
        exec(source, names)
    return names


def tutorial(seed=1):
    """Return the untrained network of notebook 3."""
    import tensorflow as tf

    return run_cells(notebook_cells(3, "network"), tf=tf, seed=seed)["tutorial_model"]


def representative_dataset(train_images, images=100, sources=None):
    """Return the generator of calibration images of notebook 5.

    Its cells, or `sources` in their place, are given training images (int8) and no
    others.
    """
    import tensorflow as tf

    names = run_cells(
        sources or notebook_cells(5, "representative-dataset"),
        tf=tf,
        data={"train_images": train_images},
        calibration_images=images,
        pixel_scale=128.0,
    )
    return names["representative_dataset"]


def converter(deployed, train_images):
    """Return the converter of notebook 5 for a deployed network."""
    import tensorflow as tf

    names = run_cells(
        notebook_cells(5, "converter"),
        tf=tf,
        deployed=deployed,
        representative_dataset=representative_dataset(train_images),
    )
    return names["converter"]


def changed_model(model_bytes, change):
    """Return a .tflite after `change`, a function, has altered its unpacked flatbuffer.

    What it is given is a ``ModelT`` of the schema; some of its parts are
    ``file.subgraphs[0].tensors`` and ``.operators``.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    file = schema.ModelT.InitFromPackedBuf(bytearray(model_bytes), 0)
    change(file)
    builder = flatbuffers.Builder()
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture(scope="session")
def sample():
    """Return the sample's 4,000 and 1,000 images, as in 02_preprocessed.npz."""
    from helpers import datasets

    train, test = datasets.load_file("mnist_5k")
    return {
        "train_images": (train[0] ^ 0x80).view(np.int8)[..., None],  # pixel - 128
        "train_labels": train[1],
        "test_images": (test[0] ^ 0x80).view(np.int8)[..., None],
        "test_labels": test[1],
        "pixel_scale": np.array(128.0),
        "name": np.array(datasets.SAMPLE),
        "notice": np.array(""),
    }


@pytest.fixture(scope="session")
def trained(sample):
    """Return a function from network and seed to a model, trained for some seconds."""
    from helpers import networks
    from helpers.files import quiet

    with quiet():
        import keras
    made = {}

    def train(network, seed):
        images, labels = sample["train_images"], sample["train_labels"]
        if network == "tutorial":
            model = tutorial(seed)
        else:
            keras.utils.set_random_seed(seed)
            model = networks.compact()
            # The tests want its weights to be real, not good: it is slow to train.
            images, labels = images[:1000], labels[:1000]
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.003), loss)
        model.fit(images / np.float32(128), labels, batch_size=32, verbose=0)
        return model

    def model(network="tutorial", seed=0):
        if (network, seed) not in made:
            made[network, seed] = train(network, seed)
        return made[network, seed]

    return model


@pytest.fixture(scope="session")
def models(sample, trained):
    """Return a function from network, head and seed to the bytes of a .tflite."""
    from helpers import quantization
    from helpers.files import quiet

    made = {}

    def model_bytes(network="tutorial", head="conv", seed=0):
        key = (network, head, seed)
        if key not in made:
            deployed = quantization.deployed_graph(trained(network, seed), head)
            with quiet():
                made[key] = converter(deployed, sample["train_images"]).convert()
        return made[key]

    return model_bytes


@dataclass(frozen=True)
class Candidate:
    """A model and what is known of it, as notebook 6 has them."""

    run: object
    data: dict  # arrays of 02_preprocessed.npz
    trained: dict  # 04_results.json
    model_bytes: bytes
    runtime: object
    scores_i8: np.ndarray  # of all test images, shape (images, 10)

    def checks(self):
        """Return what the gate finds."""
        from helpers import gate

        return gate.check_all(
            self.run,
            self.data,
            self.trained,
            self.model_bytes,
            self.runtime,
            self.scores_i8,
        )

    def report(self, camera=(), checks=()):
        """Return the `Report` on it."""
        from helpers import report

        return report.make(
            run=self.run,
            data=self.data,
            trained=self.trained,
            model_bytes=self.model_bytes,
            runtime=self.runtime,
            scores_i8=self.scores_i8,
            camera=list(camera),
            checks=list(checks),
        )

    def published_files(self, name, report=None):
        """Return by path the content of each file that a run of this name publishes."""
        from helpers import c_files

        return c_files.published_files(
            name,
            self.model_bytes,
            report or self.report(),
            self.data,
            self.scores_i8,
        )


@pytest.fixture(scope="session")
def candidate(sample, trained, models):
    """Return a `Candidate` that passes the gate."""
    from helpers import runs, tflite

    made = {"network": "tutorial", "head": "conv", "pixel_scale": 128.0}
    run = runs.Run("mnist_cnn", "", {**made, "max_accuracy_drop": 0.5})
    images, labels = sample["test_images"], sample["test_labels"]
    answers = trained().predict(images / np.float32(128), verbose=0).argmax(axis=1)
    figures = {"correct": int((answers == labels).sum()), "images": len(labels)}
    results = {"predictions": answers.tolist(), "test": figures}
    runtime = tflite.tflm_or_stand_in(models())
    return Candidate(
        run=run,
        data=sample,
        trained=results,
        model_bytes=models(),
        runtime=runtime,
        scores_i8=runtime.run(images),
    )


def tflm_logits(runtime, images_i8):
    """Return what `runtime` computes before the softmax, int8 of shape (N, 10)."""
    from helpers import integer_arithmetic

    last = integer_arithmetic.layers(runtime.model)[-1]
    return runtime.tensors(images_i8)[last.tensor].reshape(-1, 10)


@pytest.fixture(scope="session")
def sketch(candidate, tmp_path_factory):
    """Return the `Build` for an Uno of the sketch that the candidate publishes.

    It lies in a folder with all other published files.
    """
    import c_programs
    import emulated_uno

    from helpers import arduino

    emulated_uno.need_tools()
    folder = tmp_path_factory.mktemp("published")
    c_programs.write(candidate.published_files("mnist-cnn"), folder)
    sketch = folder / arduino.sketch_path("mnist-cnn")
    return emulated_uno.build(sketch, folder / "uno")


@pytest.fixture(scope="session")
def uno(sketch, tmp_path_factory):
    """Return a function that starts an `EmulatedUno` with the sketch or another one."""
    import emulated_uno

    host = emulated_uno.compile_host(tmp_path_factory.mktemp("emulator"))

    def start(faults=0, seed=1, build=sketch):
        return emulated_uno.EmulatedUno(host, build.elf, faults, seed)

    return start
