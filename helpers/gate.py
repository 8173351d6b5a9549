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
_LEAST_MARGIN = 20  # steps of a golden image's score


def require(checks):
    """Raise a TutorialError with the sentence of every check that failed.

    It names the first notebook that can change what they found.
    """
    failed = [check for check in checks if not check.passed]
    if not failed:
        return
    found = " ".join(f"{check.name}: {check.sentence}" for check in failed)
    first = min(check.notebook for check in failed)
    raise TutorialError(
        f"The model may not be passed on. {found} What can change this is notebook "
        f"{first}; run it and those after it again."
    )


def check_file(model_bytes, head, network, pixel_scale):
    """Read a converted model back; return a `Check` for all that a board expects.

    `head`, `network` and `pixel_scale` are the parameters that it was made with.
    """
    model = tflite.read(model_bytes)
    found, expected = model.operator_names, networks.operators(network, head)
    # From 1/256 and -128 follows: a score above 0 means a probability above one half.
    ends = {"conv": ((1, 1, 1, 10), 1 / 256, -128), "dense": ((1, 10),)}
    weighted = [op for op in model.operators if op.name in _WEIGHTED]
    checks = [
        _check(
            "operators", found == expected, ", ".join(found), ", ".join(expected), 3
        ),
        _check_end("input", model.input, (1, 28, 28, 1), 1 / pixel_scale, 0),
        _check_end("output", model.output, *ends[head]),
    ]
    for number, operator in enumerate(weighted, start=1):
        checks.append(_check_weights(f"layer {number}", model, operator))
    return checks


def _check(name, passed, found, expected, notebook=5):
    rest = "" if passed else f", where {expected} is expected"
    return Check(name, bool(passed), f"{found}{rest}.", notebook)


def _check_end(name, tensor, shape, scale=None, zero_point=None):
    found, expected = f"{tensor.dtype} {tensor.shape}", f"int8 {shape}"
    passed = found == expected and len(tensor.scales) == 1
    for value, count in zip(tensor.scales, tensor.zero_points, strict=True):
        found += f", scale {value:.6g}, zero point {count}"
    if scale:
        expected += f", scale {scale:.6g}, zero point {zero_point}"
        passed &= np.allclose(tensor.scales, scale, rtol=1e-6, atol=0)
        passed &= zero_point in tensor.zero_points
    return _check(name, passed, found, expected)


def golden_images(labels, scores_i8):
    """Return, for each digit that the model reads at all, the index of one image.

    `labels` are the true digits and `scores_i8`, int8 (images, 10), a runtime's scores.
    Saturated scores (127, and nine times -128) hide a wrong weight or another rounding,
    so of the images that are read correctly the one with the smallest margin between
    the best and the second score is chosen. The margin has to be above 20 steps, so
    that kernels that round differently still answer with the digit; if none is, the
    largest is taken.
    """
    ranked = np.sort(scores_i8.astype(int), axis=1)
    margins = ranked[:, -1] - ranked[:, -2]
    read_correctly = scores_i8.argmax(axis=1) == labels
    chosen = []
    for digit in range(10):
        images = np.flatnonzero(read_correctly & (labels == digit))
        clear = images[margins[images] > _LEAST_MARGIN]
        if len(clear):
            chosen.append(clear[margins[clear].argmin()])
        elif len(images):
            chosen.append(images[margins[images].argmax()])
    return np.array(chosen, int)


def _check_weights(name, model, operator):
    indices = (*operator.inputs, -1)[1:3]
    weights, bias = (model.tensors[i] if i >= 0 else None for i in indices)
    problems = []
    if bias is None or bias.dtype != "int32" or bias.data is None:
        problems.append("no int32 bias, which boards read unchecked")
    if weights.dtype != "int8" or np.any(weights.zero_points != 0):
        problems.append("weights that are not symmetric int8")
    if not np.all(weights.scales > 0):
        problems.append("a scale that is not positive")
    if operator.name == "FULLY_CONNECTED" and len(weights.scales) > 1:
        problems.append(f"{len(weights.scales)} scales, of which older TFLM reads one")
    size, scales = math.prod(weights.shape), len(weights.scales)
    good = f"{size:,} symmetric int8 weights and {scales} scale" + "s" * (scales > 1)
    found = " and ".join(problems) or good
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
    won = int(((before != labels) & (after == labels)).sum())
    drop = 100 * (lost - won) / images
    error = 100 * math.sqrt(lost + won - (lost - won) ** 2 / images) / images
    right = int((after == labels).sum())
    passed = drop - 1.96 * error <= max_accuracy_drop
    remedy = "" if passed else " More epochs or training images can help."
    return Check(
        "accuracy",
        passed,
        f"{rate(right, images)}; {change(right + lost - won, right, images)} ({lost:,} "
        f"images lost, {won:,} won). Allowed is a drop of {max_accuracy_drop:g} points "
        f"plus {1.96 * error:.2f} for chance.{remedy}",
        notebook=4,
    )


def check_logits(name, runtime, expected, found):
    """Check that int8 logits are a runtime's; TFLM's stand-in may be one step off."""
    steps = np.abs(found.astype(int) - expected)
    passed = bool(steps.max() <= (0 if runtime.is_tflm else 1))
    told = f"{np.count_nonzero(steps):,} of {steps.size:,} logits differ from those of "
    sentence = f"{told}{runtime.name}, the largest by {steps.max()}."
    return Check(name, passed, sentence, notebook=3)


def _check_golden(digits):
    remedy = "" if digits == 10 else " More epochs or images make it read the others."
    sentence = f"{digits} of 10 digits have one.{remedy}"
    return Check("golden vectors", digits == 10, sentence, notebook=4)


def check_all(run, data, trained, model_bytes, runtime, scores_i8):
    """Return a `Check` for all that must hold before a candidate is published.

    The history of `run` says how it was made; `data` are the arrays of notebook 2,
    `trained` the results of notebook 4, and `scores_i8` what `runtime` answered for all
    test images, shape (images, 10).
    """
    made, labels = run.history(), data["test_labels"]
    answers = np.array(trained["predictions"]), scores_i8.argmax(axis=1)
    golden = len(golden_images(labels, scores_i8))
    layers, images = integer_arithmetic.layers(runtime.model), data["test_images"][:200]
    integers = integer_arithmetic.run(layers, images)[-1]
    logits = runtime.tensors(images)[layers[-1].tensor].reshape(integers.shape)
    return [
        *check_file(model_bytes, made["head"], made["network"], made["pixel_scale"]),
        check_accuracy(labels, *answers, made["max_accuracy_drop"]),
        _check_golden(golden),
        check_logits("integer arithmetic", runtime, logits, integers),
    ]
