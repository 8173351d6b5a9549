"""The gate: what passes, and each bad candidate refused with its reason."""

import functools

import numpy as np
import pytest
from edit_model import edited

from helpers.board.checks import (
    OPERATORS,
    check_accuracy,
    check_arithmetic,
    check_compiled,
    check_golden,
    check_model,
    require,
)
from helpers.board.runtimes import board_runtime
from helpers.errors import TutorialError
from helpers.learn.conversion import convert
from helpers.learn.deployed_graph import deployed_graph
from helpers.quiet import quiet


@pytest.fixture(scope="session")
def bad(trained, sample):
    """Return a function that converts the trained network with one thing wrong."""
    images = sample["train_images"][:20]

    def converted(graph, per_channel_dense=False, inputs_and_outputs="int8"):
        with quiet():
            import tensorflow as tf

            def representative_dataset():
                for image in images:
                    yield [(image / np.float32(128))[None]]

            converter = tf.lite.TFLiteConverter.from_keras_model(graph)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = representative_dataset
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = getattr(tf, inputs_and_outputs)
            converter.inference_output_type = getattr(tf, inputs_and_outputs)
            switch = "_experimental_disable_per_channel_quantization_for_dense_layers"
            setattr(converter, switch, not per_channel_dense)
            return converter.convert()

    @functools.cache
    def make(kind):
        conv, dense = (
            deployed_graph(trained(), "conv"),
            deployed_graph(trained(), "dense"),
        )
        return {
            "unscaled calibration": lambda: convert(conv, images, pixel_scale=1.0),
            "calibration on 0 to 1": lambda: convert(conv, images / 2 + 64, 128.0),
            "black calibration": lambda: convert(
                conv, np.full_like(images, -128), 128.0
            ),
            "per-channel dense": lambda: converted(dense, per_channel_dense=True),
            "dynamic batch": lambda: converted(trained()),
            "uint8": lambda: converted(conv, inputs_and_outputs="uint8"),
            "float": lambda: converted(conv, inputs_and_outputs="float32"),
        }[kind]()

    return make


def _failed(checks):
    return {check.name: check.sentence for check in checks if not check.passed}


@pytest.mark.parametrize(("network", "head"), OPERATORS)
def test_good_candidate_passes_every_check(candidate, network, head):
    checks = check_model(candidate(head, network), head, network)
    assert _failed(checks) == {}
    assert len(checks) == 10
    require(checks)
    assert all(str(check).startswith("pass") for check in checks)


@pytest.mark.parametrize(
    ("kind", "head", "first", "reason"),
    [
        ("unscaled calibration", "conv", "input scale", "scale 1, zero point 0, where"),
        ("calibration on 0 to 1", "conv", "input scale", "zero point -128, where"),
        (
            "per-channel dense",
            "dense",
            "scales of dense layers",
            "64, 10 for the weight",
        ),
        ("dynamic batch", "dense", "operators", "PACK, RESHAPE, SHAPE, STRIDED_SLICE"),
        ("dynamic batch", "dense", "fixed shapes", r"\[-1, 28, 28, 1\]"),
        ("uint8", "conv", "operators", "QUANTIZE should not be there"),
        ("uint8", "conv", "input and output", "input uint8, output uint8"),
        ("float", "conv", "input and output", "input float32, output float32"),
    ],
)
def test_badly_converted_candidate_is_refused_with_its_reason(
    bad, kind, head, first, reason
):
    checks = check_model(bad(kind), head)
    failed = [check for check in checks if check.name == first]
    assert not failed[0].passed
    with pytest.raises(TutorialError, match=f"because of its {first}: .*{reason}"):
        require(failed)
    with pytest.raises(TutorialError, match="not passed on"):
        require(checks)


def _all_scales(graph, value):
    for tensor in graph.tensors:
        tensor.quantization.scale = [value] * len(tensor.quantization.scale)


def _no_bias(_, graph):
    operator = graph.operators[-2]
    operator.inputs = [*operator.inputs[:2], -1]


def _bias_not_listed(_, graph):
    graph.operators[0].inputs = graph.operators[0].inputs[:2]


def _other_version(model, _):
    model.version = 2


def _other_output_scale(_, graph):
    graph.tensors[graph.outputs[0]].quantization.scale = [1 / 128]


def _other_input_zero_point(_, graph):
    graph.tensors[graph.inputs[0]].quantization.zeroPoint = [1]


def _other_shape(_, graph):
    graph.tensors[graph.inputs[0]].shape = [1, 32, 32, 1]


def _asymmetric_weights(_, graph):
    weights = graph.tensors[graph.operators[0].inputs[1]]
    weights.quantization.zeroPoint = [3] * 8


def _negative_scale(_, graph):
    weights = graph.tensors[graph.operators[0].inputs[1]]
    weights.quantization.scale = [-0.1] * 8


def _seven_scales(_, graph):
    weights = graph.tensors[graph.operators[0].inputs[1]]
    weights.quantization.scale = [0.1] * 7


def _no_weights(_, graph):
    operator = graph.operators[0]
    operator.inputs = [operator.inputs[0], -1, operator.inputs[2]]


def _two_inputs(_, graph):
    graph.inputs = [graph.inputs[0], graph.inputs[0]]


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        (_no_bias, "biases", "a CONV_2D has no int32 bias"),
        (_bias_not_listed, "biases", "a CONV_2D has no int32 bias"),
        (_other_version, "schema version", "2, and TFLM reads version 3"),
        (
            _other_output_scale,
            "output scale",
            "scale 1/256, zero point -128 is expected",
        ),
        (_other_input_zero_point, "input scale", "zero point 1, where"),
        (_other_shape, "fixed shapes", "input [1, 32, 32, 1]"),
        (_asymmetric_weights, "weights", "zero point other than 0"),
        (_negative_scale, "weights", "scale that is not positive"),
        (_seven_scales, "weights", "7 scales for 8 outputs"),
        (_no_weights, "weights", "are missing"),
        (_two_inputs, "input and output", "input int8, int8"),
    ],
)
def test_edited_candidate_is_refused_with_its_reason(candidate, change, name, reason):
    failed = _failed(check_model(edited(candidate(), change)))
    assert reason in failed[name]


@pytest.mark.parametrize("length", [0, 7, 1000, -100])
def test_truncated_candidate_is_refused(candidate, length):
    [check] = check_model(candidate()[:length])
    assert check.name == "whole file"
    with pytest.raises(TutorialError, match="not a whole TensorFlow Lite model"):
        require([check])


def test_other_head_is_refused(candidate):
    failed = _failed(check_model(candidate("dense"), "conv"))
    assert "FULLY_CONNECTED should not be there" in failed["operators"]
    assert "SOFTMAX should be there" in failed["operators"]


def test_other_pixel_scale_is_refused_and_the_right_one_passes(trained, sample):
    graph = deployed_graph(trained(), "conv")
    original = convert(graph, sample["train_images"][:20], pixel_scale=1.0)
    assert "input scale" in _failed(check_model(original, pixel_scale=128.0))
    assert _failed(check_model(original, pixel_scale=1.0)) == {}


def test_unknown_network_is_refused(candidate):
    with pytest.raises(
        TutorialError, match="no list of operators for network 'resnet'"
    ):
        check_model(candidate(), "conv", "resnet")


def test_accuracy_of_a_badly_calibrated_candidate_is_refused(
    bad, trained, candidate, sample
):
    images, labels = sample["test_images"], sample["test_labels"]
    logits = trained().predict(images / np.float32(128), verbose=0)
    float_correct = int((logits.argmax(axis=1) == labels).sum())

    def check(model_bytes):
        runtime = board_runtime(model_bytes)
        correct = int((runtime.run(images).argmax(axis=1) == labels).sum())
        return check_accuracy(float_correct, correct, 1000, 1.0, runtime.name)

    assert check(candidate()).passed
    with pytest.raises(TutorialError, match=r"because of its accuracy: .* correct"):
        require([check(bad("black calibration"))])


@pytest.mark.parametrize(
    ("board", "allowed", "passed", "words"),
    [
        (9_904, 0.5, True, "0.06 percentage points lower; 0.5 lower is allowed"),
        (9_860, 0.5, True, "0.50 percentage points lower"),
        (9_859, 0.5, False, "raise max_accuracy_drop"),
        (9_910, 0.0, True, "the same"),
        (9_909, 0.0, False, "0.01 percentage points lower; 0 lower is allowed"),
        (9_920, 0.0, True, "0.10 percentage points higher"),
        (9_910, float("nan"), False, "nan"),
    ],
)
def test_accuracy_is_compared_in_percentage_points(board, allowed, passed, words):
    check = check_accuracy(9_910, board, 10_000, allowed, "TFLM")
    assert check.passed is passed
    assert words in check.sentence
    assert "9,910 of 10,000 correct (99.10 %) in float" in check.sentence


@pytest.mark.parametrize(
    ("off_by", "exact", "passed"),
    [(0, True, True), (1, True, False), (-1, True, False), (1, False, True)],
)
def test_arithmetic_that_differs_is_refused(off_by, exact, passed):
    scores = np.zeros((5, 10), np.int8)
    other = scores.copy()
    other[2, 3] = off_by
    check = check_arithmetic(scores, other, "TFLM", exact)
    assert bool(check.passed) is passed
    assert f"{abs(off_by)} of 50 scores on TFLM" in check.sentence
    extremes = np.full_like(scores, -128), np.full_like(scores, 127)
    assert not check_arithmetic(*extremes, "TFLM", False).passed


def test_compiled_array_that_differs_is_refused(candidate):
    assert check_compiled(candidate(), candidate()).passed
    with pytest.raises(TutorialError, match="not the model that was tested"):
        require([check_compiled(candidate()[:-1] + b"x", candidate())])


def test_golden_vector_that_differs_is_refused():
    assert check_golden(0, 10, "TFLM").passed
    check = check_golden(1, 10, "TFLM")
    assert not check.passed
    assert check.sentence == "9 of 10 reproduced exactly by TFLM."
