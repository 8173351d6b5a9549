"""The gate: what must hold before a model is passed on, and before it is published.

The converter is not trusted. What it wrote is read back and checked, and so is what
the runtimes and the integer arithmetic make of it.
"""

import math

import numpy as np

from helpers import integer_arithmetic, networks, tflite
from helpers.files import TutorialError
from helpers.report import Check, change, rate

_WEIGHTED = ("CONV_2D", "FULLY_CONNECTED")
_LEAST_MARGIN = 20  # steps between the best and the second score of a golden image
_NORMAL_95 = 1.96  # standard errors on either side that hold 95 % of a normal law


def require(checks):
    """Raise a TutorialError with the sentence of every check that failed.

    It names the first notebook that can change what they found.
    """
    failed = [check for check in checks if not check.passed]
    if not failed:
        return
    found = " ".join(f"{check.name}: {check.sentence}" for check in failed)
    first = min(check.notebook for check in failed)
    # The batch command reads the number out of this sentence.
    raise TutorialError(
        f"The model may not be passed on. {found} What can change this is notebook "
        f"{first}; run it and those after it again."
    )


def check_file(model_bytes, head, network, pixel_scale):
    """Read a converted model back; return a `Check` for all that a board expects.

    `head`, `network` and `pixel_scale` are the parameters that it was made with.
    """
    model = tflite.read(model_bytes)
    checks = [
        _check_operators(model, networks.OPERATORS[network, head]),
        _check_tensor("input", model.input, (1, 28, 28, 1), 1 / pixel_scale, 0),
    ]
    if head == "conv":
        # Then a score above 0 means a probability above one half.
        checks.append(
            _check_tensor("output", model.output, (1, 1, 1, 10), 1 / 256, -128)
        )
    else:
        checks.append(_check_tensor("output", model.output, (1, 10)))
    weighted = [one for one in model.operators if one.name in _WEIGHTED]
    for number, operator in enumerate(weighted, start=1):
        checks.append(_check_weights(f"layer {number}", model, operator))
    return checks


def _check_operators(model, expected):
    found = model.operator_names
    passed = found == expected
    sentence = _compared(passed, ", ".join(found), ", ".join(expected))
    return Check("operators", passed, sentence, notebook=3)


def _check_tensor(name, tensor, shape, scale=None, zero_point=None):
    """Check a tensor that the board reads or writes: int8, with one scale.

    Which scale and zero point matters only if they are given.
    """
    found = f"{tensor.dtype} {tensor.shape}"
    expected = f"int8 {shape}"
    passed = found == expected and len(tensor.scales) == 1
    for one, other in zip(tensor.scales, tensor.zero_points, strict=True):
        found += f", scale {one:.6g}, zero point {other}"
    if scale is None:
        expected += ", one scale"
    else:
        expected += f", scale {scale:.6g}, zero point {zero_point}"
        passed = passed and math.isclose(tensor.scale, scale, rel_tol=1e-6)
        passed = passed and tensor.zero_point == zero_point
    return Check(name, passed, _compared(passed, found, expected), notebook=5)


def _compared(passed, found, expected):
    return f"{found}." if passed else f"{found}, where {expected} is expected."


def _check_weights(name, model, operator):
    weights = model.tensors[operator.inputs[1]]
    has_bias = len(operator.inputs) > 2 and operator.inputs[2] >= 0
    bias = model.tensors[operator.inputs[2]] if has_bias else None
    scales = len(weights.scales)
    problems = []
    if bias is None or bias.dtype != "int32" or bias.data is None:
        problems.append("no int32 bias, which boards read unchecked")
    if weights.dtype != "int8" or np.any(weights.zero_points != 0):
        problems.append("weights that are not symmetric int8")
    if not np.all(weights.scales > 0):
        problems.append("a scale that is not positive")
    if operator.name == "FULLY_CONNECTED" and scales > 1:
        problems.append(f"{scales} scales, of which older TFLM reads one")
    if problems:
        found = " and ".join(problems)
    else:
        count = math.prod(weights.shape)
        plural = "s" if scales > 1 else ""
        found = f"{count:,} symmetric int8 weights and {scales} scale{plural}"
    return Check(name, not problems, f"{operator.name} with {found}.", notebook=5)


def check_accuracy(labels, before, after, max_accuracy_drop):
    """Check that quantization did not cost more percentage points than are allowed.

    `labels`, `before` and `after` are true digits and the answers of the float and of
    the int8 model. Both read the same images, so only images that one of them alone
    reads count (the discordant pairs of McNemar, 1947). The check fails if the drop
    exceeds what is allowed by more than its uncertainty of 95 %; the standard error is
    that of A. Agresti, "Categorical Data Analysis", 3rd edition, section 11.1.
    """
    images = len(labels)
    lost = int(((before == labels) & (after != labels)).sum())
    gained = int(((before != labels) & (after == labels)).sum())
    drop = 100 * (lost - gained) / images
    error = 100 * math.sqrt(lost + gained - (lost - gained) ** 2 / images) / images
    chance = _NORMAL_95 * error
    passed = drop - chance <= max_accuracy_drop
    right_before = int((before == labels).sum())
    right = int((after == labels).sum())
    sentence = (
        f"{rate(right, images)}; {change(right_before, right, images)} "
        f"({lost:,} images lost, {gained:,} gained). Allowed is a drop of "
        f"{max_accuracy_drop:g} points plus {chance:.2f} for chance."
    )
    if not passed:
        sentence += " More epochs or training images can help."
    return Check("accuracy", passed, sentence, notebook=4)


def check_logits(name, runtime, expected, found):
    """Check that int8 logits are a runtime's; TFLM's stand-in may be one step off.

    `expected` are those of `runtime`, and both have the shape (images, 10).
    """
    if found.shape != expected.shape or not found.size:
        sentence = (
            f"its logits have the shape {found.shape}, those of {runtime.name} "
            f"{expected.shape}, so they cannot be compared."
        )
        return Check(name, False, sentence, notebook=3)
    steps = np.abs(found.astype(int) - expected)
    differ = np.count_nonzero(steps)
    largest = int(steps.max())
    if differ:
        sentence = (
            f"{differ:,} of {steps.size:,} logits differ from those of {runtime.name}, "
            f"by {largest} at most."
        )
    else:
        sentence = f"All {steps.size:,} logits are those of {runtime.name}."
    allowed = 0 if runtime.is_tflm else 1
    return Check(name, largest <= allowed, sentence, notebook=3)


def golden_images(labels, scores_i8):
    """Return, for each digit that the model reads clearly, the index of one image.

    `labels` are the true digits and `scores_i8`, int8 (images, 10), a runtime's scores.
    Saturated scores (127, and nine times -128) hide a wrong weight or another rounding,
    so of the images that are read correctly the one with the smallest margin between
    the best and the second score is chosen. The margin has to be above 20 steps, so
    that kernels that round differently still answer with the digit.
    """
    ranked = np.sort(scores_i8.astype(int), axis=1)
    margins = ranked[:, -1] - ranked[:, -2]
    is_clear = (scores_i8.argmax(axis=1) == labels) & (margins > _LEAST_MARGIN)
    chosen = []
    for digit in range(10):
        images = np.flatnonzero(is_clear & (labels == digit))
        if len(images):
            chosen.append(images[margins[images].argmin()])
    return np.array(chosen, int)


def _check_golden(images):
    sentence = f"{images} of 10 digits have one."
    if images < 10:
        sentence += " More epochs or images make it read the others clearly."
    return Check("golden vectors", images == 10, sentence, notebook=4)


def check_all(run, data, trained, model_bytes, runtime, scores_i8):
    """Return a `Check` for all that must hold before a candidate is published.

    The history of `run` says how it was made; `data` are the arrays of notebook 2,
    `trained` the results of notebook 4, and `scores_i8` what `runtime` answered for all
    test images, shape (images, 10).
    """
    made = run.history()
    labels = data["test_labels"]
    checks = check_file(model_bytes, made["head"], made["network"], made["pixel_scale"])

    before = np.array(trained["predictions"])
    after = scores_i8.argmax(axis=1)
    checks.append(check_accuracy(labels, before, after, made["max_accuracy_drop"]))

    checks.append(_check_golden(len(golden_images(labels, scores_i8))))

    images = data["test_images"][:200]
    layers = integer_arithmetic.layers(runtime.model)
    integers = integer_arithmetic.run(layers, images)[-1].reshape(len(images), -1)
    _, logits = runtime.run_with_logits(images, layers[-1].tensor)
    checks.append(check_logits("integer arithmetic", runtime, logits, integers))
    return checks
