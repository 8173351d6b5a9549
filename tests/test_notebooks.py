"""The notebooks in all the ways in which people run them, besides plain nbval."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.paths import NOTEBOOKS, REPOSITORY

FIRST, SECOND = (
    NOTEBOOKS / "01_load_dataset.ipynb",
    NOTEBOOKS / "02_preprocess_data.ipynb",
)


def run(command, artifacts, **environment):
    """Run ``python -m <command>`` with its artifacts in a folder of the test."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=environment.pop("cwd", REPOSITORY),
        env=kept | {"ARTIFACTS_DIR": str(artifacts)} | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def no_network(folder):
    """Return an environment in which MNIST cannot be had: no copy, no network."""
    nowhere = "http://127.0.0.1:9/mnist.npz"
    return {"MNIST_NPZ": "", "KERAS_HOME": str(folder / "keras"), "MNIST_URL": nowhere}


@pytest.mark.skipif(
    "MNIST_NPZ" not in os.environ,
    reason="the notebooks run on the sample already; let MNIST_NPZ name mnist.npz",
)
def test_notebooks_sample_and_no_board_runtime_pass_nbval(tmp_path):
    """All six without a network and without tflite-micro, compared strictly."""
    out = run(
        ["pytest", "-q", "-p", "no:cacheprovider", "notebooks"],
        tmp_path,
        BOARD_RUNTIME="litert",
        **no_network(tmp_path),
    )
    assert " passed" in out and "failed" not in out
    reports = list(tmp_path.glob("**/report.json"))
    assert not reports  # nbval's own folder is removed after it


@pytest.fixture(scope="module")
def first_artifacts(tmp_path_factory):
    """Return a folder, with spaces in its name, in which notebook 1 has been run."""
    folder = tmp_path_factory.mktemp("a folder with spaces")
    out = folder / "out 01.ipynb"
    run(["papermill", FIRST, out, "-p", "dataset", "mnist_5k"], folder, cwd=folder)
    assert (folder / "mnist_cnn" / "01_dataset.npz").exists()
    return folder


def test_notebook_papermill_parameters_are_used(first_artifacts):
    out = first_artifacts / "out 02.ipynb"
    run(["papermill", SECOND, out, "-p", "pixel_scale", "1.0"], first_artifacts)
    manifest = first_artifacts / "mnist_cnn" / "02_preprocessed.npz.json"
    assert json.loads(manifest.read_text())["parameters"]["pixel_scale"] == 1.0


def test_notebook_jupyter_execute_runs(first_artifacts):
    run(["jupyter", "execute", SECOND], first_artifacts, cwd=first_artifacts)


def test_notebook_nbconvert_execute_makes_page(first_artifacts):
    folder = ["--output-dir", first_artifacts]
    command = ["nbconvert", "--to", "html", "--execute", SECOND, *folder]
    run(["jupyter", *command], first_artifacts, cwd=first_artifacts)
    page = (first_artifacts / "02_preprocess_data.html").read_text(encoding="utf-8")
    assert "Figure 2.3" in page and "Traceback" not in page


def test_batch_changed_parameters_folder_with_spaces(tmp_path):
    """All six on the sample, from another folder, with another name and values."""
    folder = tmp_path / "another folder"
    folder.mkdir()
    flags = "--save-model-name=my-model --dataset=mnist_5k --epochs=4 --seed=3"
    flags += (
        " --batch-size=32 --head=dense --calibration-images=50 --max-accuracy-drop=3"
    )
    out = run(
        ["helpers.train_and_quantize", *flags.split()],
        folder,
        cwd=folder,
        PYTHONPATH=str(REPOSITORY),
    )
    published = folder / "my-model" / "published"
    report = json.loads((published / "report.json").read_text())
    parameters = report["parameters"]
    assert parameters["epochs"] == 4 and parameters["batch_size"] == 32
    assert parameters["seed"] == 3 and parameters["calibration_images"] == 50
    operators = ["CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D"]
    assert report["model"]["operators"] == operators
    accuracy = report["accuracy"]
    for kind in ("float", "litert", "board"):
        assert accuracy[kind]["correct"] / accuracy[kind]["images"] > 0.9
    assert (published / "my-model_int8.tflite").stat().st_size <= 22_900
    assert "5,000 images" in out and "FULLY_CONNECTED" in out
    assert Path(folder, "my-model", "report", "index.html").exists()


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("MNIST_NPZ"),
    reason="needs full MNIST: let MNIST_NPZ name mnist.npz",
)
def test_batch_full_mnist_defaults_reach_their_floors(tmp_path):
    run(["helpers.train_and_quantize"], tmp_path)
    report = json.loads((tmp_path / "mnist_cnn/published/report.json").read_text())
    assert report["dataset"]["name"] == "MNIST"
    shares = {k: v["correct"] / v["images"] for k, v in report["accuracy"].items()}
    assert shares["float"] >= 0.988 and shares["board"] >= 0.987
    assert shares["float"] - shares["board"] <= 0.0015
    assert report["model"]["bytes"] <= 25_300
    if report["board_runtime"]["is_board_runtime"]:
        assert report["model"]["arena_bytes"] <= 10_300
    rows = report["camera"]
    camera = {row["effect"]: row["correct"] / row["images"] for row in rows}
    assert camera["Shifted 3 px diagonally"] >= 0.93  # of 1,000 images only
    assert camera["Inverted, polarity fixed"] == camera["As in the test set"]
