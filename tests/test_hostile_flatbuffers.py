"""Thousands of damaged models: a clear error or a correct answer, and never a bomb."""

import random
import struct
import time
import tracemalloc

import numpy as np
import pytest
from edit_model import unpacked

from helpers.board.arena import Arena, estimated_arena
from helpers.board.checks import check_model
from helpers.board.flatbuffer import read_model
from helpers.board.golden import Golden
from helpers.board.integer_model import Integers
from helpers.board.publish import Result, files_to_publish
from helpers.check import main
from helpers.errors import TutorialError
from helpers.learn.datasets import load_sample

EXTREMES = [0, 1, 2, 127, 128, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1]
IMAGE = np.zeros((1, 28, 28, 1), np.int8)
RESULT = Result("none", 1, 1, 1, "none", False)
GOLDEN = Golden((0,), IMAGE, np.zeros((1, 10), np.int8))
ARENA = Arena(None, None, 1024, "none")


def _structure(model_bytes):
    """List the places that are not weights, where damage does most."""
    inside = np.ones(len(model_bytes), bool)
    for tensor in read_model(model_bytes).tensors:
        if tensor.data is not None and tensor.data.nbytes > 100:
            first = model_bytes.find(tensor.data.tobytes())
            inside[first : first + tensor.data.nbytes] = False
    return np.flatnonzero(inside).tolist()


def _mutations(model_bytes, count, seed):
    rng = random.Random(seed)
    places = _structure(model_bytes)
    for _ in range(count):
        data = bytearray(model_bytes)
        for _ in range(rng.choice([1, 1, 1, 2, 8])):
            place = rng.choice(places)
            kind = rng.randrange(5)
            if kind == 0:
                data[place] ^= 1 << rng.randrange(8)
            elif kind == 1:
                data[place] = rng.randrange(256)
            elif kind == 2:
                word = (
                    rng.choice(EXTREMES) if rng.random() < 0.5 else rng.randrange(2**32)
                )
                struct.pack_into("<I", data, min(place & ~3, len(data) - 4), word)
            elif kind == 3:
                other = rng.choice(places) & ~3
                start = min(place & ~3, len(data) - 4)
                data[start : start + 4] = data[other : other + 4]
            else:
                rng.randrange(2)
        if rng.random() < 0.1:
            del data[rng.randrange(len(data)) :]
        yield bytes(data)


def _use(model_bytes, publish=True):
    """Do all that is done with a model before native code; return the error, if any."""
    try:
        model = read_model(model_bytes)
        estimated_arena(model)
        for check in check_model(model_bytes):
            str(check)
        Integers(model_bytes).run(IMAGE)
        if publish:  # the slow part
            files_to_publish("mnist_cnn", model_bytes, RESULT, GOLDEN, ARENA, {})
    except TutorialError as error:
        assert len(str(error)) < 2000
        return str(error)
    return None


def _check_many(model_bytes, count, seed):
    refused = 0
    for number, data in enumerate(_mutations(model_bytes, count, seed)):
        start = time.perf_counter()
        refused += _use(data, publish=number % 8 == 0) is not None
        assert time.perf_counter() - start < 10
    assert 0 < refused < count


@pytest.mark.parametrize("head", ["conv", "dense"])
def test_300_damaged_models_give_an_error_or_an_answer(candidate, head):
    _check_many(candidate(head), 300, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["conv", "dense"])
def test_6000_damaged_models_give_an_error_or_an_answer(candidate, head):
    _check_many(candidate(head), 3000, seed=2)


def _check_command(tmp_path, capsys, data):
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    status = main([str(path)])
    shown = capsys.readouterr()
    assert (status, shown.err.count("\n")) in ((0, 0), (1, 1)), shown.err
    assert all(line.isprintable() for line in (shown.out + shown.err).split("\n"))
    return status


def test_check_command_on_300_damaged_models_says_one_sentence(
    candidate, tmp_path, capsys, monkeypatch
):
    sample = load_sample()
    monkeypatch.setattr("helpers.check.load_sample", lambda: sample)
    monkeypatch.setattr("helpers.check.arena_in_child", lambda model_bytes: ARENA)
    monkeypatch.setattr(
        "helpers.check.run_in_child",
        lambda model_bytes, images: np.zeros((len(images), 10), np.int8),
    )
    statuses = [
        _check_command(tmp_path, capsys, data)
        for data in _mutations(candidate(), 300, seed=5)
    ]
    assert set(statuses) == {0, 1}


def test_check_command_runs_damaged_models_in_children(candidate, tmp_path, capsys):
    for data in _mutations(candidate("dense"), 12, seed=6):
        _check_command(tmp_path, capsys, data)


def test_every_truncation_is_refused(candidate):
    model_bytes = candidate()
    lengths = [*range(0, 2000, 7), *range(2000, len(model_bytes), 101)]
    for length in [*lengths, len(model_bytes) - 1]:
        assert _whole_model(model_bytes[:length]) != _whole_model(model_bytes)


def _whole_model(data):
    try:
        model = read_model(data)
    except TutorialError:
        return None
    return model.operators, [
        t.data is not None and t.data.tobytes() for t in model.tensors
    ]


def test_damaged_models_take_no_memory_beyond_their_size(candidate):
    tracemalloc.start()
    try:
        for data in _mutations(candidate(), 100, seed=3):
            _use(data, publish=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * 2**20


def test_damaged_models_that_are_read_are_read_as_by_the_generated_reader(candidate):
    compared = 0
    for data in _mutations(candidate("dense"), 300, seed=4):
        try:
            model = read_model(data)
            expected = unpacked(data).subgraphs[0]
        except TutorialError:
            continue
        except Exception:
            continue
        compared += 1
        shapes = [tuple(() if t.shape is None else t.shape) for t in expected.tensors]
        assert [tensor.shape for tensor in model.tensors] == shapes
        edges = [
            tuple(() if o.inputs is None else o.inputs) for o in expected.operators
        ]
        assert [operator.inputs for operator in model.operators] == edges
    assert compared > 50


def test_lists_that_share_one_long_list_do_not_multiply():
    """A file of n bytes may name one list n / 4 times: reading it must not take n²."""
    words = 200_000
    shared = struct.pack("<I", words) + b"\0" * (4 * words)
    with pytest.raises(TutorialError):
        read_model(b"\x10\0\0\0TFL3" + struct.pack("<HHHH", 8, 8, 4, 4) + shared)
