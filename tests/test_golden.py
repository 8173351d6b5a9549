"""What the golden images notice: wrong weights, other roundings, shifted zero points.

A fault is put into the model's integer arithmetic; what it makes of the golden images
is compared with what they should give, before the softmax (plain C) and after it (an
interpreter).
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from helpers import c_files, gate, tflite
from helpers import integer_arithmetic as ia

FAULTS = 300
# A fault is in a layer that is drawn first, then in one of its weights. Of faults
# spread over all weights evenly about half are noticed by logits: three of four weights
# are in the third layer, and many of them meet nothing but paper.


@dataclass(frozen=True)
class Golden:
    """Golden images of a model, and what its integers make of them."""

    layers: list
    images: np.ndarray  # int8, (images, 28, 28, 1)
    logits: np.ndarray  # int8, (images, 10)
    output: tflite.Tensor  # of the model

    def logits_with(self, layers):
        """Return the logits of other layers."""
        return ia.run(layers, self.images)[-1].reshape(-1, 10)

    def scores(self, logits):
        """Return what softmax makes of logits, in steps of the model's output."""
        real = logits.astype(float) * self.layers[-1].output_scale
        powers = np.exp(real - real.max(axis=1, keepdims=True))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        steps = np.round(probabilities / self.output.scale) + self.output.zero_point
        return np.clip(steps, -128, 127).astype(int)

    def failures(self, logits, tolerance):
        """Count the images that the header in C++ would report at a tolerance."""
        expected = self.scores(self.logits)
        found = self.scores(logits)
        too_far = np.abs(found - expected).max(axis=1) > tolerance
        other_digit = found.argmax(axis=1) != expected.argmax(axis=1)
        return int((too_far | other_digit).sum())


@pytest.fixture(scope="module")
def golden(candidate):
    model = tflite.read(candidate.model_bytes)
    layers = ia.layers(model)
    data = candidate.data
    chosen = gate.golden_images(data["test_labels"], candidate.scores_i8)
    images = data["test_images"][chosen]
    logits = ia.run(layers, images)[-1].reshape(-1, 10)
    return Golden(layers, images, logits, model.output)


def _with_wrong_bit(rng, layers):
    number = int(rng.integers(len(layers)))
    weights = layers[number].weights.copy()
    place = int(rng.integers(weights.size))
    weights.reshape(-1).view(np.uint8)[place] ^= np.uint8(1 << rng.integers(8))
    broken = list(layers)
    broken[number] = replace(layers[number], weights=weights)
    return broken


@pytest.fixture(scope="module")
def logits_of_wrong_bits(golden):
    """Return the logits of the golden images for each of many wrong weight bits."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(FAULTS):
        found.append(golden.logits_with(_with_wrong_bit(rng, golden.layers)))
    return found


def test_golden_scores_are_those_of_the_runtime(golden, candidate):
    runtime = candidate.runtime
    expected = runtime.run(golden.images)
    assert np.abs(golden.scores(golden.logits) - expected).max() <= 1


def test_golden_logits_notice_70_percent_of_wrong_weight_bits(
    golden, logits_of_wrong_bits
):
    noticed = [np.any(logits != golden.logits) for logits in logits_of_wrong_bits]
    assert np.mean(noticed) >= 0.70


def test_golden_scores_notice_half_of_wrong_weight_bits(golden, logits_of_wrong_bits):
    noticed = [golden.failures(logits, 0) > 0 for logits in logits_of_wrong_bits]
    assert np.mean(noticed) >= 0.50


def test_first_images_of_each_digit_notice_less(golden, candidate):
    # Why the hardest are chosen: scores of ordinary images are saturated.
    labels = candidate.data["test_labels"]
    answers = candidate.scores_i8.argmax(axis=1)
    first = []
    for digit in range(10):
        correct = (labels == digit) & (answers == digit)
        first.append(np.flatnonzero(correct)[0])
    images = candidate.data["test_images"][first]
    logits = ia.run(golden.layers, images)[-1].reshape(-1, 10)
    easy = replace(golden, images=images, logits=logits)
    rng = np.random.default_rng(0)
    hard_noticed = 0
    easy_noticed = 0
    for _ in range(60):
        layers = _with_wrong_bit(rng, golden.layers)
        hard_noticed += golden.failures(golden.logits_with(layers), 0) > 0
        easy_noticed += easy.failures(easy.logits_with(layers), 0) > 0
    assert easy_noticed < hard_noticed


@pytest.mark.parametrize("number", range(4))
def test_golden_logits_notice_a_zero_point_that_is_one_off(golden, number):
    layers = list(golden.layers)
    wrong = layers[number].output_zero_point + 1
    layers[number] = replace(layers[number], output_zero_point=wrong)
    assert np.any(golden.logits_with(layers) != golden.logits)


def _single_rounding(accumulators, multiplier, shift, zero_point, lowest=-128):
    """Requantize with one rounding, halves upwards, as many chips' kernels do."""
    right = 31 - np.asarray(shift)
    product = np.asarray(accumulators, np.int64) * multiplier
    scaled = (product + (np.int64(1) << (right - 1))) >> right
    return np.clip(scaled + zero_point, lowest, 127).astype(np.int8)


@pytest.fixture
def logits_rounded_once(golden, monkeypatch):
    monkeypatch.setattr(ia, "requantize", _single_rounding)
    return golden.logits_with(golden.layers)


def test_golden_logits_notice_another_rounding(golden, logits_rounded_once):
    assert np.any(logits_rounded_once != golden.logits)


def _tolerance(candidate, golden):
    model = tflite.read(candidate.model_bytes)
    return c_files.rounding_tolerance(model, golden.layers[-1], golden.logits)


def test_golden_tolerance_lets_another_rounding_pass(
    golden, candidate, logits_rounded_once
):
    tolerance = _tolerance(candidate, golden)
    assert golden.failures(logits_rounded_once, tolerance) == 0


def test_golden_tolerance_is_what_logits_one_step_off_do(golden, candidate):
    tolerance = _tolerance(candidate, golden)
    expected = golden.scores(golden.logits)
    largest = 0
    for seed in range(200):
        steps = np.random.default_rng(seed).integers(-1, 2, golden.logits.shape)
        found = golden.scores(golden.logits.astype(int) + steps)
        largest = max(largest, np.abs(found - expected).max())
    # Each score is rounded, so two of them can be one step further apart.
    assert 0.5 * tolerance < largest <= tolerance + 1
    assert 5 < tolerance < 60


def test_golden_tolerance_still_notices_other_digits(golden, candidate):
    tolerance = _tolerance(candidate, golden)
    wrong = golden.logits.copy()
    wrong[:, [0, 1]] = wrong[:, [1, 0]]
    assert golden.failures(wrong, tolerance) >= 2


def test_golden_tolerance_is_one_step_where_scores_are_logits(golden, models):
    model = tflite.read(models(head="dense"))
    logits_layer = ia.layers(model)[-1]
    assert c_files.rounding_tolerance(model, logits_layer, golden.logits) == 1
