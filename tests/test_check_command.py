"""``python -m helpers.check``: what it says of good, strange and harmful files."""

import os
import subprocess
import sys

import pytest
from edit_model import edited

from helpers.board import child
from helpers.board.flatbuffer import SIZE_LIMIT
from helpers.board.runtimes import CHOICE
from helpers.check import main
from helpers.learn.deployed_graph import deployed_graph
from helpers.quiet import quiet


@pytest.fixture
def check(tmp_path, capsys):
    """Return a function that checks a model: status, output, errors."""

    def run(model_bytes):
        path = tmp_path / "model.tflite"
        path.write_bytes(model_bytes)
        return (main([str(path)]), *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def float_model(trained):
    with quiet():
        import tensorflow as tf

        graph = deployed_graph(trained(), "conv")
        return tf.lite.TFLiteConverter.from_keras_model(graph).convert()


@pytest.mark.tflm
def test_check_good_model_is_described_and_run(check, candidate):
    status, text, errors = check(candidate())
    assert (status, errors) == (0, "")
    assert f"{len(candidate()):,} bytes, 8 operators" in text
    assert "input   [1, 28, 28, 1]  int8  0.0078125   0\n" in text
    assert "\nMAX_POOL_2D  [1, 13, 13, 8]   int8\n" in text
    assert "<3>: AddConv2D, AddMaxPool2D, AddSoftmax\n" in text
    assert "bytes recommended\n" in text
    [line] = [line for line in text.splitlines() if line.startswith("sample digits")]
    assert 700 < int(line.split()[2]) <= 1000
    assert line.endswith("TensorFlow Lite Micro")
    assert text.endswith("WE1 SDK: copy, build, flash.\n")
    assert max(map(len, text.splitlines()[1:])) <= 88


def test_check_dense_head_says_what_the_sdk_lacks(check, candidate):
    status, text, _ = check(candidate("dense"))
    assert status == 0
    assert "its resolver lacks FULLY_CONNECTED: resolver.AddFullyConnected();" in text


def test_check_without_the_board_runtime_says_so(check, candidate, monkeypatch):
    monkeypatch.setenv(CHOICE, "litert")
    status, text, _ = check(candidate())
    assert status == 0
    assert "bytes estimated" in text
    assert "right" in text and "stand in for it" in text


def test_check_float_model_fails_in_sentences_and_is_not_run(check, float_model):
    status, text, errors = check(float_model)
    assert status == 1
    assert "FAIL  input and output: input float32, output float32, where" in text
    assert "FAIL  weights: those of a CONV_2D are float32" in text
    assert "process of its own" not in text
    assert "checks, marked FAIL above" in errors and errors.count("\n") == 1


def test_check_other_shape_fails_and_is_not_tried_on_digits(
    check, candidate, monkeypatch
):
    def change(_, graph):
        graph.tensors[graph.inputs[0]].shape = [1, 96, 96, 1]

    arena = child.Arena(1, 1, 1024, "")
    monkeypatch.setattr("helpers.check.arena_in_child", lambda data: arena)
    status, text, _ = check(edited(candidate(), change))
    assert status == 1
    assert "FAIL  fixed shapes: input [1, 96, 96, 1], 10 outputs;" in text
    assert "sample digits" not in text


@pytest.mark.tflm
def test_check_model_that_kills_the_runtime_is_one_sentence(check, candidate):
    def change(_, graph):  # a division by zero in TFLM
        graph.tensors[graph.operators[-2].inputs[0]].shape = []

    status, _, errors = check(edited(candidate(), change))
    assert status == 1
    assert "crashed the process that tried it" in errors
    assert errors.count("\n") == 1


@pytest.fixture
def check_with_child(check, candidate, monkeypatch):
    """Return a function that checks a good model with another program as the child."""
    real_run = subprocess.run

    def run(program):
        monkeypatch.setattr(
            child.subprocess,
            "run",
            lambda command, **kw: real_run([command[0], "-c", program], **kw),
        )
        return check(candidate())

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_check_child_that_is_killed_is_one_sentence(check_with_child):
    status, _, errors = check_with_child("import os; os.kill(os.getpid(), 9)")
    assert status == 1
    assert "signal SIGKILL" in errors and errors.count("\n") == 1


@pytest.mark.parametrize("answer", ["'[1, 2]'", "'{}'", "'x'", "7"])
def test_check_child_that_answers_nonsense_is_one_sentence(check_with_child, answer):
    status, _, errors = check_with_child(
        f"import sys, numpy\nnumpy.savez(sys.stdout.buffer, error='', answer={answer})"
    )
    assert status == 1
    assert "no readable answer" in errors and errors.count("\n") == 1


def test_check_what_is_no_model_file_is_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    with open(tmp_path / "large", "wb") as large:
        large.truncate(SIZE_LIMIT + 1)
    (tmp_path / "text").write_text("not a model at all", encoding="utf-8")
    for path, reason in {
        "missing.tflite": "Cannot read",
        ".": "is not a file",
        "empty": "shorter than a file's header",
        "large": "over the limit",
        "text": "get it again from where it came",
        "a\0b": "Cannot read",
        "x" * 5000: "Cannot read",
    }.items():
        assert main([path]) == 1
        errors = capsys.readouterr().err
        assert reason in errors and errors.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes: not Windows")
def test_check_pipe_is_refused_at_once(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    assert main([str(tmp_path / "pipe")]) == 1
    assert "is not a file" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--fast", "a"]])
def test_check_wrong_command_line_has_status_2(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.endswith("try --help.\n")


def test_check_as_a_program_explains_itself():
    command = [sys.executable, "-m", "helpers.check", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "the .tflite file, 64 MiB at most" in done.stdout
    assert "exit status:" in done.stdout
