"""Every checker accepts the solution, and says what is wrong with typical answers."""

import json
import re

import numpy as np
import pytest

from conftest import converter, tutorial
from helpers import exercises, quantization
from helpers.runs import NOTEBOOKS

LABELS = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 8, 1])
PREDICTIONS = np.array([0, 1, 2, 5, 4, 3, 6, 7, 8, 9, 8, 8, 8, 1])
TRIED = """
accuracy: lambda p, t: np.mean(p == t)  # fraction of 1
accuracy: lambda p, t: np.sum(p == t)  # divide by how many
accuracy: lambda p, t: p == t  # an array of shape (4,)
accuracy: lambda p, t: undefined  # NameError
accuracy: lambda p, t: None  # returns None
to_board_bytes: lambda i: (i ^ 0x80).view(np.int8)  # Right!
to_board_bytes: lambda i: i.astype(np.int8)  # nothing was subtracted
to_board_bytes: lambda i: i - np.uint8(128)  # wrapped around
to_board_bytes: lambda i: i.astype(np.float32) - 128  # Its type is float32
same_padding: lambda f: f // 2 + 1  # For F = 1 it returns 1, but 0 is expected. Solve
same_padding: lambda f: f - 1  # For F = 3 it returns 2, but 1 is expected. Solve
depthwise_parameters: lambda f, c: f * f * c  # biases are missing
depthwise_parameters: lambda f, c: f * f * c * c + c  # mixes all channels
sgd_step: lambda w, g, rate: w + rate * g  # uphill
sgd_step: lambda w, g, rate: w - g  # learning rate is missing
sgd_step: lambda w, g, rate: w - rate  # gradient is missing
sgd_step: lambda w, g, rate: w - rate * abs(g)  # larger weight
cross_entropy: lambda z, t: np.log(np.exp(z)[t] / np.exp(z).sum())  # sign
cross_entropy: lambda z, t: -np.log(np.exp(z)[t] / np.exp(z).sum())  # largest logit
cross_entropy: lambda z, t: -np.log10(np.exp(z)[t] / np.exp(z).sum())  # natural log
cross_entropy: lambda z, t: np.log(np.exp(z).sum()) - z.max()  # Use the label
cross_entropy: lambda z, t: -np.log((e := np.exp(z - z.max()))[t] / e.sum())  # Simplify
convolution_bytes: lambda f, a, b: f * f * a * b  # biases are missing
convolution_bytes: lambda f, a, b: f * f * a * b + b  # four bytes
convolution_bytes: lambda f, a, b: 4 * (f * f * a * b + b)  # one byte each
weakest_digit: lambda t, p: 5  # Right!
weakest_digit: lambda t, p: 9  # more images
weakest_digit: lambda t, p: 0  # least often
weakest_digit: lambda t, p: 8  # group by the true digit
weakest_digit: lambda t, p: p.fill(5)  # returns None
same_padding: lambda f: 2 if f == 5 else (f - 1) // 2 + (f == 7)  # For F = 7
accuracy: lambda p, t: 74  # it returns 74, but 75 is expected
to_board_bytes: lambda i: np.minimum((i ^ 0x80).view(np.int8), 126)  # but
depthwise_parameters: lambda f, c: 158  # it returns 158
sgd_step: lambda w, g, rate: 1.96 if g > 0 else 1.6  # it returns 1.96
sgd_step: lambda w, g, rate: w - rate * g + 0.01 * (g < 0)  # it returns 1.61
cross_entropy: lambda z, t: 1.01 * SOLUTIONS["cross_entropy"](z, t)  # it returns 2.32
convolution_bytes: lambda f, a, b: 12_900  # it returns 12900
read_answer: lambda o: int(np.max(o))  # index of the largest
read_answer: lambda o: int(np.argmax(o))  # below one half
read_answer: lambda o: int(np.argmax(o)) if o.max() >= 0 else -1  # not above
calibration_set: lambda i, s: np.full((9, 28, 28, 1), -1, np.float32)  # scale as for
calibration_set: lambda i, s: (i[:100] + 128.0) / 255  # scale as for
calibration_set: lambda i, s: i[:100] / (2 * s)  # its input scale is
calibration_set: lambda i, s: stripes() / s  # show it what digits produce
calibration_set: lambda i, s: i[:100, :, :, 0] / s  # (N, 28, 28, 1) is expected
calibration_set: lambda i, s: i[:0] / s  # (N, 28, 28, 1) is expected
calibration_set: lambda i, s: i[:100].astype(np.float32)  # its input scale is
"""
TRIED = re.findall(r"(\w+): (.+?)  # (.+)", TRIED)


def in_notebooks(pattern):
    """Return the functions that `pattern` finds in the notebooks, by name."""
    found = {}
    for path in sorted(NOTEBOOKS.glob("0*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for source in re.findall(pattern, "".join(cell["source"]), re.S):
                exec(source, {"np": np}, found)  # our own notebooks
    return found


STUBS = in_notebooks(r"^def \w+\([^)]*\):\n    return \.\.\.\n")
SOLUTIONS = in_notebooks(r"(?<=```python\n)def .*?(?=```)")
NAMES = [name.removeprefix("check_") for name in dir(exercises) if "check_" in name]


def stripes():
    """Return images with the whole range of values and nothing like a digit."""
    images = np.full((20, 28, 28, 1), -128, np.float32)
    images[:, 0, :2] = 127
    return images


@pytest.fixture
def check(capsys):
    """Return a function from a checker's arguments to the line that it prints."""

    def line(name, function, *more):
        getattr(exercises, f"check_{name}")(function, *more)
        (said,) = capsys.readouterr().out.splitlines()
        return said

    return line


@pytest.fixture
def verdict(check, trained, sample):
    """Return a function from an answer to what its checker says."""

    def line(name, function):
        more = ()
        if name == "weakest_digit":
            more = LABELS, PREDICTIONS
        if name == "calibration_set":
            deployed = quantization.deployed_graph(trained())
            more = converter(deployed, sample["train_images"]), sample
        return check(name, function, *more)

    return line


@pytest.mark.parametrize("name", NAMES)
def test_checker_solution_in_the_notebook_is_right(name, verdict):
    assert verdict(name, SOLUTIONS[name]) == exercises.RIGHT


@pytest.mark.parametrize("name", NAMES)
def test_checker_stub_in_the_notebook_is_not_tried_yet(name, verdict):
    assert verdict(name, STUBS[name]) == exercises.UNTOUCHED


@pytest.mark.parametrize("name", NAMES)
def test_checker_is_tried_with_two_wrong_answers(name):
    tried = [code for one, code, expected in TRIED if one == name and expected != "R"]
    assert len(tried) >= 2


NUMERIC = [name for name in NAMES if name != "calibration_set"]


@pytest.mark.parametrize("factor", [0.99, 1.01])
@pytest.mark.parametrize("name", NUMERIC)
def test_checker_answer_one_percent_off_is_not_right(name, factor, verdict):
    found = verdict(name, lambda *arguments: SOLUTIONS[name](*arguments) * factor)
    assert found.startswith("Not yet. ")


@pytest.mark.parametrize(("digit", "is_right"), [(2, True), (6, True), (5, False)])
def test_weakest_digit_accepts_each_of_two_that_are_missed_alike(
    check, digit, is_right
):
    labels = np.arange(10)
    predictions = labels.copy()
    predictions[[2, 6]] = 0
    said = check("weakest_digit", lambda *_: digit, labels, predictions)
    assert (said == exercises.RIGHT) is is_right


def test_calibration_set_leaves_the_converter_as_it_is(check, trained, sample):
    made = converter(quantization.deployed_graph(trained()), sample["train_images"])
    before = vars(made).copy()
    check("calibration_set", lambda *_: stripes(), made, sample)
    assert vars(made) == before


def test_calibration_set_accepts_the_solution_on_images_without_white(
    check, trained, sample
):
    data = {**sample, "train_images": np.minimum(sample["train_images"], 90)}
    made = converter(quantization.deployed_graph(trained()), data["train_images"])
    solution = SOLUTIONS["calibration_set"]
    assert check("calibration_set", solution, made, data) == exercises.RIGHT
    said = check("calibration_set", lambda i, s: i[:100] / (2 * s), made, data)
    assert "its input scale is" in said


def test_calibration_set_accepts_the_solution_for_a_model_that_reads_little(
    check, sample
):
    made = converter(quantization.deployed_graph(tutorial()), sample["train_images"])
    solution = SOLUTIONS["calibration_set"]
    assert check("calibration_set", solution, made, sample) == exercises.RIGHT


@pytest.mark.parametrize("name, code, expected", TRIED)
def test_checker_wrong_answer_says_what_is_wrong(name, code, expected, verdict):
    found = verdict(name, eval(code))
    assert expected in found
    assert found.startswith("Not yet. ") != (expected == "Right!")
    assert PREDICTIONS[0] == 0, "an answer has changed its arguments"
