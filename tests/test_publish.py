"""The set of published files, and the golden vectors in it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from board_files import published

from helpers.board.arena import Arena
from helpers.board.c_files import array_bytes
from helpers.board.golden import Golden, choose_golden, golden_mismatches, predictions
from helpers.board.publish import Result, files_to_publish
from helpers.board.runtimes import CHOICE, TFLM, LiteRT, board_runtime
from helpers.errors import TutorialError
from helpers.files import sha256

PATHS = {
    "mnist_cnn_int8.tflite",
    "mnist_cnn_int8.cc",
    "mnist_cnn_int8.h",
    "mnist_cnn_int8_board.h",
    "mnist_cnn_int8_golden.h",
    "himax_we1_evb/model_data.cc",
    "himax_we1_evb/model_data.h",
    "report.json",
}


def test_files_are_complete_and_hold_the_model(candidate, sample):
    files, _ = published("mnist_cnn", candidate(), sample)
    assert files.keys() == PATHS
    assert files["mnist_cnn_int8.tflite"] == candidate()
    for path in ("mnist_cnn_int8.cc", "himax_we1_evb/model_data.cc"):
        assert array_bytes(files[path].decode()) == candidate()


def test_comment_says_what_the_model_is(candidate, sample):
    files, _ = published("mnist_cnn", candidate(), sample)
    source = files["mnist_cnn_int8.cc"].decode()
    head = source[: source.index("#include")]
    assert f"SHA-256 {sha256(candidate())}" in head
    assert "Dataset: mnist_5k" in head
    assert re.search(r"\d+ of 1,000 \(\d\d\.\d\d %\)", head)
    assert "scale 0.0078125, zero point 0" in head
    assert "scale 0.00390625, zero point -128" in head
    assert "CONV_2D, MAX_POOL_2D, SOFTMAX" in head


def test_himax_header_has_the_names_of_the_sdk_example(candidate, sample):
    files, _ = published("mnist_cnn", candidate(), sample)
    header = files["himax_we1_evb/model_data.h"].decode()
    name = "mnist_dynamic_quantized_28x28_tflite"
    assert f"extern const unsigned char {name}[];" in header
    assert f"extern const int {name}_len;" in header


def test_himax_source_of_the_dense_head_says_what_to_change(candidate, sample):
    conv, _ = published("mnist_cnn", candidate("conv"), sample)
    dense, _ = published("mnist_cnn", candidate("dense"), sample)
    path = "himax_we1_evb/model_data.cc"
    assert b"copy, build, flash" in conv[path]
    assert b"resolver.AddFullyConnected();" in dense[path]
    assert b"MicroMutableOpResolver<5>" in dense[path]
    assert b"these scores are logits" in dense[path]


def test_report_holds_facts_and_what_the_notebook_adds(candidate, sample):
    litert = {"correct": 7, "images": 1000}
    extra = {
        "seed": np.int64(3),
        "camera": {"noise": np.float32(0.5)},
        "accuracy": {"litert": litert},
    }
    files, golden = published("mnist_cnn", candidate(), sample, extra)
    report = json.loads(files["report.json"])
    assert report["seed"] == 3
    assert report["camera"] == {"noise": 0.5}
    assert report["model"]["sha256"] == sha256(candidate())
    assert report["model"]["bytes"] == len(candidate())
    assert report["golden_digits"] == list(golden.digits)
    assert report["accuracy"]["board"]["images"] == 1000
    assert report["accuracy"]["litert"] == litert
    assert report["dataset"]["name"] == "mnist_5k"


@pytest.mark.parametrize(
    ("key", "value"),
    [("accuracy", {"board": {"correct": 1000}}), ("golden_digits", [1])],
)
def test_report_may_not_contradict_what_was_measured(candidate, sample, key, value):
    with pytest.raises(ValueError, match=f"report may not set {key}"):
        published("mnist_cnn", candidate(), sample, {key: value})


def test_report_with_a_number_that_json_lacks_is_refused(candidate, sample):
    with pytest.raises(ValueError, match="JSON"):
        published("mnist_cnn", candidate(), sample, {"loss": float("nan")})


PROGRAM = """
import hashlib, sys
import numpy as np
from helpers.board.arena import Arena
from helpers.board.golden import Golden
from helpers.board.publish import Result, files_to_publish
model = open(sys.argv[1], "rb").read()
golden = Golden((0,), np.zeros((1, 28, 28, 1), np.int8), np.zeros((1, 10), np.int8))
result = Result("x", 10, 9, 8, "y", True)
files = files_to_publish(
    "a", model, result, golden, Arena(1, 2, 3, "r"), {"b": 1, "a": {"d", }.pop()}
)
for path, data in files.items():
    print(path, hashlib.sha256(data).hexdigest())
"""


def test_same_arguments_give_the_same_bytes_in_two_processes(candidate, tmp_path):
    outputs = set()
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        (folder / "model").write_bytes(candidate())
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(folder / "model")],
            cwd=folder,
            capture_output=True,
            check=True,
            env=_environment(PYTHONHASHSEED=seed),
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert len(outputs.pop().splitlines()) == 8


def _environment(**changes):
    import os

    root = str(Path(__file__).resolve().parents[1])
    return os.environ | {"PYTHONPATH": root} | changes


def test_without_the_board_runtime_every_file_says_so(candidate, sample, monkeypatch):
    monkeypatch.setenv(CHOICE, "litert")
    files, _ = published("mnist_cnn", candidate(), sample)
    assert (
        json.loads(files["report.json"])["board_runtime"]["is_board_runtime"] is False
    )
    for path in ("mnist_cnn_int8.cc", "himax_we1_evb/model_data.cc"):
        assert b"NOT tested on the board's runtime" in files[path]
    assert b"stands in for TensorFlow Lite Micro" in files["mnist_cnn_int8_golden.h"]
    assert b"Estimated" in files["mnist_cnn_int8_board.h"]


@pytest.mark.parametrize("name", ["../x", "a/b", "", 'a"', "a\nb", "con"])
def test_name_that_is_no_name_is_refused(candidate, name):
    golden = Golden((0,), np.zeros((1, 28, 28, 1), np.int8), np.zeros((1, 10), np.int8))
    result = Result("x", 1, 1, 1, "y", True)
    with pytest.raises(TutorialError, match="save_model_name"):
        files_to_publish(name, candidate(), result, golden, Arena(1, 2, 3, "r"), {})


def test_golden_vectors_are_one_correct_image_a_digit(candidate, sample):
    images, labels = sample["test_images"], sample["test_labels"]
    runtime = board_runtime(candidate())
    golden = choose_golden(images, labels, runtime.run(images))
    assert golden.digits == tuple(range(10))
    assert golden.images.shape == (10, 28, 28, 1)
    assert predictions(golden.scores).tolist() == list(range(10))
    assert golden_mismatches(runtime, golden) == 0


@pytest.mark.tflm
def test_golden_vectors_are_reproduced_exactly_only_by_what_made_them(
    candidate, sample
):
    images, labels = sample["test_images"], sample["test_labels"]
    golden = choose_golden(images, labels, TFLM(candidate()).run(images))
    assert golden_mismatches(TFLM(candidate()), golden) == 0
    assert golden_mismatches(TFLM(candidate(seed=1)), golden) > 0


def test_golden_vectors_of_a_model_that_misses_a_digit_are_refused(candidate, sample):
    images, labels = sample["test_images"], sample["test_labels"]
    scores = LiteRT(candidate()).run(images)
    scores[labels == 4] = 0
    with pytest.raises(TutorialError, match=r"none of the \d+ test images of a 4"):
        choose_golden(images, labels, scores)


def test_predictions_of_equal_scores_is_the_lowest_digit():
    assert predictions(np.zeros((1, 10), np.int8)).tolist() == [0]
