"""Native code in a process of its own: what it does there reaches nobody else."""

import sys

import numpy as np
import pytest
from edit_model import edited

from helpers.board import child
from helpers.board.child import run_in_child
from helpers.board.runtimes import TFLM, LiteRT
from helpers.errors import TutorialError


@pytest.mark.parametrize(
    ("runtime", "make"),
    [
        pytest.param("tflm", TFLM, marks=pytest.mark.tflm),
        ("litert", LiteRT),
        ("litert_reference", lambda data: LiteRT(data, reference=True)),
    ],
)
def test_run_in_child_gives_what_the_runtime_gives(candidate, sample, runtime, make):
    images = sample["test_images"][:20]
    found = run_in_child(candidate(), images, runtime)
    np.testing.assert_array_equal(found, make(candidate()).run(images))


def test_run_in_child_damaged_model_is_one_sentence(candidate, sample):
    with pytest.raises(TutorialError, match="not a whole TensorFlow Lite model"):
        run_in_child(candidate()[:5000], sample["test_images"][:1])


def test_run_in_child_ignores_packages_in_the_current_folder(
    candidate, sample, tmp_path, monkeypatch
):
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    assert run_in_child(candidate(), sample["test_images"][:1]).shape == (1, 10)


def test_run_in_child_that_hangs_is_stopped(candidate, sample):
    with pytest.raises(TutorialError, match=r"took over 0\.01 s"):
        run_in_child(candidate(), sample["test_images"][:1], timeout_seconds=0.01)


def _drop_weights(_, graph):
    first = graph.operators[0]
    first.inputs = [first.inputs[0], -1, first.inputs[2]]


def _drop_shape(_, graph):
    graph.tensors[graph.operators[-2].inputs[0]].shape = []


def _enlarge_batch(_, graph):
    graph.tensors[graph.inputs[0]].shape = [2**20, 28, 28, 1]


@pytest.mark.parametrize(
    ("runtime", "change", "seconds"),
    [
        ("litert", _drop_weights, 30),  # SIGSEGV in LiteRT 2.3
        pytest.param("tflm", _drop_shape, 30, marks=pytest.mark.tflm),  # SIGFPE
        ("litert", _enlarge_batch, 3),  # runs for minutes, or finds no memory
    ],
    ids=["segmentation-fault", "division-by-zero", "endless"],
)
def test_run_in_child_model_that_kills_the_runtime_is_one_sentence(
    candidate, sample, runtime, change, seconds
):
    hostile = edited(candidate(), change)
    with pytest.raises(TutorialError, match=r"crashed|took over|cannot run|shape"):
        run_in_child(hostile, sample["test_images"][:1], runtime, seconds)


def test_run_in_child_unknown_runtime_is_refused(candidate, sample):
    with pytest.raises(TutorialError, match="may be board, tflm"):
        run_in_child(candidate(), sample["test_images"][:1], "onnx")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        pytest.param(
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "crashed .*SIGSEGV",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
        ),
        ("import sys; sys.exit(3)", "crashed .*status 3"),
        ("print('nonsense')", "no readable answer"),
        ("", "no readable answer"),
        (
            "import sys, numpy\nnumpy.savez(sys.stdout.buffer, error='', answer=1.0)",
            "int8 scores of 1 images are expected",
        ),
    ],
    ids=["crash", "exit", "nonsense", "silence", "wrong-scores"],
)
def test_run_in_child_that_fails_is_one_sentence(
    candidate, sample, monkeypatch, tmp_path, program, reason
):
    script = tmp_path / "child.py"
    script.write_text(program, encoding="utf-8")
    real_run = child.subprocess.run
    monkeypatch.setattr(
        child.subprocess,
        "run",
        lambda command, **options: real_run([command[0], str(script)], **options),
    )
    with pytest.raises(TutorialError, match=reason):
        run_in_child(candidate(), sample["test_images"][:1])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits address space")
def test_run_in_child_limits_its_memory(candidate, sample, monkeypatch):
    monkeypatch.setenv("BOARD_RUNTIME", "litert")
    monkeypatch.setattr(child, "_MEMORY_LIMIT", 2**20)
    # The limit is set in the child: see that it takes effect there.
    code = (
        "from helpers.board import child; child._MEMORY_LIMIT = 300 * 2**20;"
        "child._limit_memory(); bytes(400 * 2**20)"
    )
    done = child.subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False
    )
    assert b"MemoryError" in done.stderr
