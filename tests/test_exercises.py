"""Every checker accepts the solution, and says what is wrong with typical answers."""

import json
import re

import numpy as np
import pytest

from conftest import converter
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
read_answer: lambda o: int(np.max(o))  # index of the largest
read_answer: lambda o: int(np.argmax(o))  # below one half
read_answer: lambda o: int(np.argmax(o)) if o.max() >= 0 else -1  # not above
calibration_set: lambda i, s: np.full((9, 28, 28, 1), -1, np.float32)  # scale as for
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


@pytest.fixture
def verdict(capsys, trained, sample):
    def check(name, function):
        more = {"weakest_digit": (LABELS, PREDICTIONS)}.get(name, ())
        if name == "calibration_set":
            deployed = quantization.deployed_graph(trained())
            more = converter(deployed, sample["train_images"][:9]), sample
        getattr(exercises, f"check_{name}")(function, *more)
        (line,) = capsys.readouterr().out.splitlines()
        return line

    return check


@pytest.mark.parametrize("name", NAMES)
def test_checker_solution_in_the_notebook_is_right_and_its_stub_untried(name, verdict):
    assert verdict(name, SOLUTIONS[name]) == "Right!"
    assert verdict(name, STUBS[name]) == exercises.UNTOUCHED
    assert sum(tried == name for tried, *_ in TRIED) >= 2


@pytest.mark.parametrize("name, code, expected", TRIED)
def test_checker_wrong_answer_says_what_is_wrong(name, code, expected, verdict):
    found = verdict(name, eval(code))
    assert expected in found
    assert found.startswith("Not yet. ") != (expected == "Right!")
    assert PREDICTIONS[0] == 0, "an answer has changed its arguments"
