"""Every checker on the solution, the untouched stub and typical wrong answers."""

import re

import nbformat
import numpy as np
import pytest

from helpers.learn import exercises
from helpers.parameters import notebook_paths

LABELS = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 8, 1])
PREDICTIONS = np.array([0, 1, 2, 3, 4, 3, 6, 7, 8, 9, 8, 8, 8, 1])

WRONG = {
    "accuracy": {
        "lambda p, t: np.mean(p == t)": "as a fraction",
        "lambda p, t: np.sum(p == t)": "divide by how many",
        "lambda p, t: 100 * np.mean(p != t)": "wrong answers",
        "lambda p, t: p == t": "an array",
        "lambda p, t: undefined": "NameError",
    },
    "to_board_bytes": {
        "lambda i: i.astype(np.int8)": "without subtracting",
        "lambda i: (i - np.uint8(128))": "wrapped around",
        "lambda i: (i.astype(np.int16) - 127).clip(-128, 127).astype(np.int8)": "127",
        "lambda i: i.astype(np.float32) - 128": "float32",
        "lambda i: (i.astype(np.int16) - 128).astype(np.int8).ravel()": "shape",
    },
    "same_padding": {
        "lambda f: f // 2 + 1": "would become",
        "lambda f: f - 1": "would become",
        "lambda f: f / 2": "would become",
    },
    "depthwise_parameters": {
        "lambda f, c: f * f * c": "biases are missing",
        "lambda f, c: f * f * c * c + c": "mixes all channels",
        "lambda f, c: f * f * c + 1": "not one for all",
    },
    "cross_entropy": {
        "lambda z, t: np.log(np.exp(z)[t] / np.exp(z).sum())": "sign",
        "lambda z, t: -np.log(np.exp(z)[t] / np.exp(z).sum())": "overflows",
        "lambda z, t: -np.log10(np.exp(z)[t] / np.exp(z).sum())": "natural logarithm",
        "lambda z, t: np.exp(z)[t] / np.exp(z).sum()": "minus its logarithm",
    },
    "convolution_bytes": {
        "lambda f, a, b: f * f * a * b": "biases are missing",
        "lambda f, a, b: f * f * a * b + b": "four bytes",
        "lambda f, a, b: 4 * (f * f * a * b + b)": "one byte each",
    },
    "weakest_digit": {
        "lambda t, p: 9": "more images",
        "lambda t, p: 0": "least often",
        "lambda t, p: np.array([9, 8])": "one digit",
    },
    "read_answer": {
        "lambda o: int(np.max(o))": "index of the largest",
        "lambda o: int(np.argmax(o))": "below one half",
        "lambda o: int(np.argmax(o)) if o.max() >= 0 else -1": "not above",
    },
}
MORE_ARGUMENTS = {"weakest_digit": (LABELS, PREDICTIONS)}
CASES = [(n, code, hint) for n, cases in WRONG.items() for code, hint in cases.items()]


def verdict(name, function, capsys):
    more = MORE_ARGUMENTS.get(name, ())
    getattr(exercises, f"check_{name}")(function, *more)
    return capsys.readouterr().out


def functions_in(kind):
    """Return the functions of all stubs or of all solutions, from the notebooks."""
    found = {}
    for path in notebook_paths():
        for cell in nbformat.read(path, 4).cells:
            source = cell.source
            if kind == "stub" and "return ...\n" not in source + "\n":
                continue
            if kind == "solution":
                blocks = re.findall(r"```python\n(.*?)```", source, re.S)
                source = "\n".join(blocks) if "<details>" in source else ""
            source = source.split("\nexercises.")[0]
            namespace = {"np": np}
            exec(source, namespace)  # our own notebooks
            found |= {k: v for k, v in namespace.items() if callable(v)}
    return found


STUBS, SOLUTIONS = functions_in("stub"), functions_in("solution")


def test_every_stub_has_a_solution_and_wrong_answers():
    assert set(STUBS) == set(SOLUTIONS) == {*WRONG, "calibration_set"}
    assert all(len(cases) >= 2 for cases in WRONG.values())


@pytest.mark.parametrize("name", WRONG)
def test_checker_untouched_stub_says_not_tried(name, capsys):
    assert verdict(name, STUBS[name], capsys).strip() == exercises.UNTOUCHED


@pytest.mark.parametrize("name", WRONG)
def test_checker_solution_is_right(name, capsys):
    assert verdict(name, SOLUTIONS[name], capsys).strip() == "Right!"


@pytest.mark.parametrize(("name", "code", "hint"), CASES)
def test_checker_wrong_answer_says_what_is_wrong(name, code, hint, capsys):
    answer = eval(code, {"np": np})  # the cases above
    found = verdict(name, answer, capsys)
    assert found.startswith("Not yet. ")
    assert hint in found


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("solution", "Right!"),
        ("stub", exercises.UNTOUCHED),
        ("lambda i, s: np.full((10, 28, 28, 1), -1, np.float32)", "input scale is"),
        ("lambda i, s: i[:100].astype(np.float32)", "input scale is"),
        ("lambda i, s: i[:0] / s", "no image"),
        ("lambda i, s: i[:100, :, :, 0] / s", "expected are images"),
    ],
)
def test_calibration_checker(code, expected, trained, sample, capsys):
    from helpers.learn.deployed_graph import deployed_graph

    functions = {"solution": SOLUTIONS, "stub": STUBS}
    if code in functions:
        answer = functions[code]["calibration_set"]
    else:
        answer = eval(code, {"np": np})
    data = {**sample, "pixel_scale": np.float32(128)}
    exercises.check_calibration_set(answer, deployed_graph(trained(), "conv"), data)
    assert expected in capsys.readouterr().out
