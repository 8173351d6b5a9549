"""What a converted model must be, read back from its own bytes.

The converter is not trusted: what it wrote is checked, one named check after the other,
each with a sentence that says what was found.
"""

import math

import numpy as np

from helpers.board.check import Check
from helpers.board.flatbuffer import read_model
from helpers.errors import TutorialError

OPERATORS = {
    ("tutorial", "conv"): {"CONV_2D", "MAX_POOL_2D", "SOFTMAX"},
    ("tutorial", "dense"): {"CONV_2D", "MAX_POOL_2D", "FULLY_CONNECTED"},
    ("compact", "conv"): {"CONV_2D", "MAX_POOL_2D", "SOFTMAX"},
    ("compact", "dense"): {"CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED"},
}
"""The operators of each network and head: these and no others."""

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_PIXEL = "so the board's bytes would not be pixel - 128"


def check_model(model_bytes, head="conv", network="tutorial", pixel_scale=128.0):
    """Read a converted model back and check that it is what the board expects.

    Parameters
    ----------
    model_bytes : bytes
        A `.tflite`.
    head : {"conv", "dense"} or None
        None if it is from elsewhere: any operators will do.
    network : {"tutorial", "compact"}
    pixel_scale : float or None
        What training divided ``pixel - 128`` by; None if that is not known.

    Returns
    -------
    list of Check
        In a fixed order; just the first one if the file is not a readable model.
    """
    if head is not None and (network, head) not in OPERATORS:
        known = ", ".join(" with ".join(pair) for pair in OPERATORS)
        raise TutorialError(
            f"There is no list of operators for network {network!r} with head "
            f"{head!r}; there is one for {known}."
        )
    try:
        model = read_model(model_bytes, "The candidate")
    except TutorialError as error:
        return [Check("whole file", False, str(error))]
    whole = f"{len(model_bytes):,} bytes, every offset inside the file."
    return [
        Check("whole file", True, whole),
        _schema_version(model),
        _operators(model, OPERATORS.get((network, head))),
        _input_and_output(model),
        _fixed_shapes(model),
        _input_quantization(model, pixel_scale),
        _output_quantization(model),
        _weights(model),
        _dense_scales(model),
        _biases(model),
    ]


def _schema_version(model):
    found = model.schema_version
    return Check("schema version", found == 3, f"{found}, and TFLM reads version 3.")


def _operators(model, expected):
    found = set(model.operator_names)
    expected = found if expected is None else expected
    sentence = f"{', '.join(sorted(found))}"
    if extra := sorted(found - expected):
        sentence += f"; {', '.join(extra)} should not be there"
    if missing := sorted(expected - found):
        sentence += f"; {', '.join(missing)} should be there"
    return Check("operators", found == expected, f"{sentence}.")


def _input_and_output(model):
    ends = (("input", model.inputs), ("output", model.outputs))
    found = [
        f"{what} {', '.join(model.tensors[index].dtype for index in indices) or 'none'}"
        for what, indices in ends
    ]
    passed = found == ["input int8", "output int8"]
    expected = (
        "" if passed else ", where one int8 input and one int8 output are expected"
    )
    return Check("input and output", passed, f"{', '.join(found)}{expected}.")


def _fixed_shapes(model):
    free = [tensor for tensor in model.tensors if -1 in tensor.shape_signature]
    if free:
        return Check(
            "fixed shapes",
            False,
            f"tensor {free[0].name!r} has shape {list(free[0].shape_signature)}, whose "
            "-1 is left open; build the deployed graph with a batch size of 1.",
        )
    if not (len(model.inputs) == len(model.outputs) == 1):
        return Check("fixed shapes", False, "there is not one input and one output.")
    shape, outputs = model.input.shape, math.prod(model.output.shape)
    return Check(
        "fixed shapes",
        shape == (1, 28, 28, 1) and outputs == 10,
        f"input {list(shape)}, {outputs} outputs; one image of [28, 28, 1] and 10 "
        "outputs are expected.",
    )


def _input_quantization(model, pixel_scale):
    name = "input scale"
    if (problem := _not_per_tensor(model, model.inputs)) is not None:
        return Check(name, False, problem)
    scale, zero_point = model.input.scale, model.input.zero_point
    found = f"scale {scale:.6g}, zero point {zero_point}"
    if pixel_scale is None:
        return Check(name, scale > 0, f"{found}.")
    expected = 1 / pixel_scale
    if zero_point == 0 and abs(scale - expected) <= 1e-6 * expected:
        return Check(name, True, f"{found}: the board's bytes are pixel - 128.")
    return Check(
        name,
        False,
        f"{found}, where scale {expected:.6g}, zero point 0 is expected, {_PIXEL}; "
        "calibrate on images that are scaled as those of the training.",
    )


def _output_quantization(model):
    name = "output scale"
    if (problem := _not_per_tensor(model, model.outputs)) is not None:
        return Check(name, False, problem)
    scale, zero_point = model.output.scale, model.output.zero_point
    found = f"scale {scale:.6g}, zero point {zero_point}"
    if "SOFTMAX" not in model.operator_names:
        passed = scale > 0 and -128 <= zero_point <= 127
        return Check(name, passed, f"{found}: scores are logits.")
    passed = scale == 1 / 256 and zero_point == -128
    meaning = "a score above 0 means a probability above one half"
    expected = f"{meaning}." if passed else "scale 1/256, zero point -128 is expected."
    return Check(name, passed, f"{found}: {expected}")


def _not_per_tensor(model, indices):
    tensors = [model.tensors[index] for index in indices]
    if len(tensors) != 1:
        return f"there are {len(tensors)} tensors where one is expected."
    [tensor] = tensors
    if len(tensor.scales) != 1 or len(tensor.zero_points) != 1:
        return f"{len(tensor.scales)} scales where one is expected."
    return None


def _weights(model):
    name = "weights"
    count = 0
    for operator, weights, _ in _weighted(model):
        problem = _problem_of_weights(operator, weights)
        if problem is not None:
            return Check(name, False, f"those of a {operator.name} {problem}.")
        count += weights.data.size
    return Check(
        name, count > 0, f"{count:,} int8 values, symmetric, every scale positive."
    )


def _problem_of_weights(operator, weights):
    if weights is None or weights.data is None:
        return "are missing"
    if weights.dtype != "int8":
        return f"are {weights.dtype}, where int8 is expected"
    if np.any(weights.zero_points != 0):
        return "have a zero point other than 0"
    if len(weights.shape) != (2 if operator.name == "FULLY_CONNECTED" else 4):
        return f"have {len(weights.shape)} dimensions"
    channels = weights.shape[3 if operator.name == "DEPTHWISE_CONV_2D" else 0]
    if len(weights.scales) not in (1, channels):
        return f"have {len(weights.scales)} scales for {channels} outputs"
    if not np.all(weights.scales > 0):
        return "have a scale that is not positive"
    return None


def _dense_scales(model):
    counts = [
        len(weights.scales)
        for operator, weights, _ in _weighted(model)
        if operator.name == "FULLY_CONNECTED" and weights is not None
    ]
    name = "scales of dense layers"
    if not counts:
        return Check(name, True, "there is no FULLY_CONNECTED.")
    if max(counts) == 1 == min(counts):
        return Check(name, True, "one for each weight tensor.")
    found = ", ".join(str(count) for count in counts)
    return Check(
        name,
        False,
        f"{found} for the weight tensors, where one each is expected: older TFLM reads "
        "only the first and computes wrong scores without an error; convert with "
        "_experimental_disable_per_channel_quantization_for_dense_layers.",
    )


def _biases(model):
    name = "biases"
    triples = _weighted(model)
    for operator, _, bias in triples:
        if bias is None or bias.data is None or bias.dtype != "int32":
            return Check(
                name,
                False,
                f"a {operator.name} has no int32 bias, and the board's kernels read it "
                "unchecked; keep use_bias=True in every layer.",
            )
    return Check(name, bool(triples), f"all {len(triples)} present, int32.")


def _weighted(model):
    """Return (operator, weights, bias) of each that has weights; None if absent."""
    triples = []
    for operator in model.operators:
        if operator.name in _WEIGHTED:
            indices = [*operator.inputs, -1, -1, -1][1:3]
            weights, bias = (model.tensors[i] if i >= 0 else None for i in indices)
            triples.append((operator, weights, bias))
    return triples
