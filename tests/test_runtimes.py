"""Both runtimes behind one interface, and the stand-in where the board's is absent."""

import sys

import numpy as np
import pytest
from edit_model import edited

from helpers.board.arena import estimated_arena, recommended_arena
from helpers.board.flatbuffer import read_model
from helpers.board.runtimes import (
    CHOICE,
    STAND_IN_NOTICE,
    TFLM,
    LiteRT,
    board_runtime,
    tflm_is_available,
)
from helpers.errors import TutorialError

RUNTIMES = [
    pytest.param(TFLM, marks=pytest.mark.tflm),
    LiteRT,
    pytest.param(lambda data: LiteRT(data, reference=True), id="reference"),
]


@pytest.mark.parametrize("make", RUNTIMES)
@pytest.mark.parametrize("head", ["conv", "dense"])
def test_run_gives_int8_scores_that_recognise_digits(candidate, sample, make, head):
    images, labels = sample["test_images"][:400], sample["test_labels"][:400]
    steps = []
    scores = make(candidate(head)).run(images, progress=steps.append)
    assert scores.dtype == np.int8
    assert scores.shape == (400, 10)
    assert sum(steps) == 400
    assert (scores.argmax(axis=1) == labels).mean() > 0.8


@pytest.mark.parametrize("make", RUNTIMES)
def test_intermediates_are_the_tensors_of_all_operators(candidate, sample, make):
    runtime = make(candidate())
    images = sample["test_images"][:3]
    tensors = runtime.intermediates(images)
    outputs = [index for step in runtime.model.operators for index in step.outputs]
    assert list(tensors) == outputs
    assert tensors[outputs[0]].shape == (3, 26, 26, 8)
    last = tensors[outputs[-1]].reshape(3, 10)
    np.testing.assert_array_equal(last, runtime.run(images))


@pytest.mark.parametrize("make", RUNTIMES)
@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 28, 28, 1), np.uint8),
        np.zeros((2, 28, 28, 1), np.float32),
        np.zeros((2, 28, 28), np.int8),
        np.zeros((2, 27, 28, 1), np.int8),
    ],
    ids=["uint8", "float32", "flat", "small"],
)
def test_run_images_that_do_not_fit_are_refused(candidate, make, images):
    with pytest.raises(TutorialError, match=r"int8 images of shape \[28, 28, 1\]"):
        make(candidate()).run(images)


@pytest.mark.parametrize("make", RUNTIMES)
def test_run_no_images_gives_no_scores(candidate, sample, make):
    assert make(candidate()).run(sample["test_images"][:0]).shape == (0, 10)


def test_litert_and_its_reference_kernels_say_who_they_are(candidate):
    fast, plain = LiteRT(candidate()), LiteRT(candidate(), reference=True)
    assert fast.name.startswith("LiteRT 2")
    assert plain.name == f"{fast.name}, reference kernels"
    assert not fast.is_board_runtime
    assert not plain.is_board_runtime


def test_litert_writes_nothing_to_the_terminal(candidate, sample, capfd):
    LiteRT(candidate()).run(sample["test_images"][:1])
    assert capfd.readouterr() == ("", "")


@pytest.mark.tflm
def test_tflm_is_the_board_runtime(candidate):
    runtime = board_runtime(candidate())
    assert isinstance(runtime, TFLM)
    assert runtime.is_board_runtime
    assert runtime.name.startswith("TensorFlow Lite Micro 0.")
    assert runtime.notice == ""


@pytest.mark.tflm
@pytest.mark.parametrize(("head", "limit"), [("conv", 10_300), ("dense", 10_300)])
def test_tflm_arena_is_measured_and_small(candidate, head, limit, capfd):
    assert 8_000 < TFLM(candidate(head)).arena_bytes <= limit
    assert capfd.readouterr() == ("", "")


@pytest.mark.tflm
def test_tflm_arena_too_small_is_explained(candidate, capfd):
    with pytest.raises(TutorialError, match="failed to allocate"):
        TFLM(candidate(), arena_size=9_000)
    assert capfd.readouterr() == ("", "")


@pytest.mark.tflm
def test_tflm_uint8_model_is_explained(candidate):
    def make_uint8(_, graph):
        for tensor in graph.tensors:
            tensor.type = 3 if tensor.type == 9 else tensor.type

    with pytest.raises(
        TutorialError, match=r"TensorFlow Lite Micro .* cannot run|uint8"
    ):
        TFLM(edited(candidate(), make_uint8)).run(np.zeros((1, 28, 28, 1), np.int8))


def test_board_runtime_switched_off_uses_the_stand_in(candidate, monkeypatch):
    monkeypatch.setenv(CHOICE, "litert")
    runtime = board_runtime(candidate())
    assert isinstance(runtime, LiteRT)
    assert "reference kernels" in runtime.name
    assert not runtime.is_board_runtime
    assert runtime.notice == STAND_IN_NOTICE


def test_board_runtime_not_installed_uses_the_stand_in(candidate, monkeypatch):
    monkeypatch.delenv(CHOICE, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not board_runtime(candidate()).is_board_runtime
    monkeypatch.setenv(CHOICE, "tflm")
    with pytest.raises(TutorialError, match="tflite-micro is not installed"):
        tflm_is_available()


def test_board_runtime_unknown_choice_is_refused(monkeypatch):
    monkeypatch.setenv(CHOICE, "yes")
    with pytest.raises(TutorialError, match="may be auto, tflm or litert"):
        tflm_is_available()


def test_importing_the_runtimes_imports_neither_of_them():
    import subprocess

    code = (
        "import sys, helpers.board.publish, helpers.board.checks, helpers.check;"
        "heavy = {'tensorflow', 'tflite_micro', 'ai_edge_litert', 'matplotlib'};"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.tflm
@pytest.mark.parametrize("network", ["tutorial", "compact"])
@pytest.mark.parametrize("head", ["conv", "dense"])
def test_recommended_arena_works_and_less_than_smallest_does_not(
    candidate, sample, head, network
):
    model_bytes = candidate(head, network)
    image = sample["test_images"][:1]
    arena = recommended_arena(model_bytes)
    assert arena.used <= arena.smallest < arena.recommended
    assert arena.recommended % 1024 == 0
    assert arena.recommended >= 1.2 * arena.smallest
    TFLM(model_bytes, arena.smallest).run(image)
    TFLM(model_bytes, arena.recommended).run(image)
    with pytest.raises(TutorialError):
        TFLM(model_bytes, arena.smallest - 16).run(image)


@pytest.mark.tflm
@pytest.mark.parametrize("network", ["tutorial", "compact"])
@pytest.mark.parametrize("head", ["conv", "dense"])
def test_estimated_arena_is_enough_and_not_half_as_much_again(candidate, head, network):
    model_bytes = candidate(head, network)
    used = TFLM(model_bytes).arena_bytes
    assert used <= estimated_arena(read_model(model_bytes)) <= 1.5 * used


def test_recommended_arena_without_tflm_says_it_is_estimated(candidate, monkeypatch):
    monkeypatch.setenv(CHOICE, "litert")
    arena = recommended_arena(candidate())
    assert arena.used is None
    assert arena.rule.startswith("Estimated")
