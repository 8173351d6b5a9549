"""The gate: a good candidate passes, and each bad one is refused with its reason."""

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from helpers import gate, integer_arithmetic, tflite
from helpers.files import TutorialError


def _edited(model_bytes, part, key, value):
    """Return the model with one entry of its flatbuffer changed."""
    file = schema.ModelT.InitFromPackedBuf(bytearray(model_bytes), 0)
    [graph] = file.subgraphs
    tensors, operator = graph.tensors, graph.operators[0]
    parts = {"input": tensors[0], "output": tensors[-1], "code": file.operatorCodes[0]}
    parts |= {"weights": tensors[operator.inputs[1]], "operator": operator}
    parts["dense weights"] = tensors[graph.operators[-1].inputs[:2][-1]]
    target = parts[part] if hasattr(parts[part], key) else parts[part].quantization
    setattr(target, key, value)
    builder = flatbuffers.Builder()
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _failed(checks):
    return [check.name for check in checks if not check.passed]


@pytest.mark.parametrize("head", ["conv", "dense"])
@pytest.mark.parametrize("network", ["tutorial", "compact"])
def test_file_as_converted_passes(models, network, head):
    checks = gate.check_file(models(network, head), head, network, 128.0)
    assert _failed(checks) == []
    gate.require(checks)


@pytest.mark.parametrize(
    ("part", "key", "value", "name", "reason"),
    [
        ("input", "type", 3, "input", "uint8"),
        ("input", "shapeSignature", [-1, 28, 28, 1], "input", r"\(-1, 28, 28, 1\)"),
        ("input", "scale", [1.0], "input", "scale 1, .* where .* scale 0.0078125"),
        ("input", "zeroPoint", [-1], "input", "zero point -1, where"),
        ("output", "scale", [0.01], "output", "0.01, .* 0.00390625, zero point -128"),
        ("output", "quantization", None, "output", "int8 .*, where .* scale"),
        ("operator", "inputs", [0, 13], "layer 1", "no int32 bias"),
        ("operator", "inputs", [0, 13, -1], "layer 1", "no int32 bias"),
        ("weights", "zeroPoint", [1] * 8, "layer 1", "not symmetric"),
        ("weights", "scale", [-1.0] * 8, "layer 1", "not positive"),
        ("code", "builtinCode", 67, "operators", "TRANSPOSE_CONV"),
    ],
)
def test_file_with_one_thing_wrong_is_refused(models, part, key, value, name, reason):
    bad = _edited(models(), part, key, value)
    checks = gate.check_file(bad, "conv", "tutorial", 128.0)
    assert name in _failed(checks)
    with pytest.raises(TutorialError, match=f"{name}: .*{reason}"):
        gate.require(checks)


def test_refusal_names_the_first_notebook_that_can_change_what_was_found():
    checks = [
        gate.Check("operators", True, "good", notebook=3),
        gate.Check("input", False, "bad", notebook=5),
        gate.Check("golden vectors", False, "few", notebook=4),
    ]
    with pytest.raises(TutorialError, match=r"bad.*few.*notebook 4; run it and those"):
        gate.require(checks)


def test_file_with_dense_weights_per_channel_is_refused(models):
    bad = _edited(models(head="dense"), "dense weights", "scale", [0.01] * 10)
    checks = gate.check_file(bad, "dense", "tutorial", 128.0)
    assert _failed(checks) == ["layer 5"]
    assert "10 scales, of which older TFLM reads one" in checks[-1].sentence


def test_file_of_another_pixel_scale_is_refused(models):
    assert _failed(gate.check_file(models(), "conv", "tutorial", 1.0)) == ["input"]


@pytest.mark.parametrize(
    ("images", "lost", "won", "allowed", "passed"),
    [
        (1000, 16, 10, 0.5, True),  # 867 against 873 right: six images are chance
        (1000, 6, 0, 0.5, True),
        (1000, 40, 10, 0.5, False),
        (10_000, 130, 30, 0.5, False),
        (10_000, 130, 30, 1.0, True),
        (1000, 0, 0, 0.0, True),
        (1000, 3, 8, 0.0, True),
    ],
)
def test_accuracy_allows_for_chance_and_not_for_more(
    images, lost, won, allowed, passed
):
    labels = np.zeros(images, int)
    before, after = np.zeros(images, int), np.zeros(images, int)
    after[:lost] = 1
    before[lost : lost + won] = 1
    check = gate.check_accuracy(labels, before, after, allowed)
    assert check.passed is passed
    assert f"({lost} images lost, {won} won)" in check.sentence
    assert ("rose by 0.5" in check.sentence) is (won > lost)


def test_all_checks_pass_a_good_candidate(candidate):
    checks = gate.check_all(*candidate)
    assert _failed(checks) == []
    names = [check.name for check in checks]
    assert {"accuracy", "golden vectors", "integer arithmetic"} < set(names)


def test_all_checks_refuse_what_is_wrong_elsewhere(candidate, monkeypatch):
    run, data, trained, model_bytes, runtime, scores = candidate

    def failed(scores=scores):
        checks = gate.check_all(run, data, trained, model_bytes, runtime, scores)
        return _failed(checks)

    assert failed(np.roll(scores, 1, axis=1)) == ["accuracy", "golden vectors"]
    wrong = [np.zeros((200, 10), int)]
    monkeypatch.setattr(integer_arithmetic, "run", lambda *_: wrong)
    assert failed() == ["integer arithmetic"]


def test_logits_one_step_off_pass_only_for_the_stand_in(models):
    runtime, logits = tflite.LiteRT(models(), reference=True), np.int8([[-128, 5, 127]])

    def passes(steps):
        return gate.check_logits("", runtime, logits, logits.astype(int) + steps).passed

    assert [passes(0), passes(1), passes(3)] == [True, True, False]
    runtime.is_tflm = True
    assert not passes(1)


def _scores(*pairs):
    # The scores of images with this best and second score; the best is at digit 3.
    scores = np.full((len(pairs), 10), -128, np.int8)
    for row, (best, second) in zip(scores, pairs, strict=True):
        row[3] = best
        row[7] = second
    return scores


def _golden(labels, scores):
    return gate.golden_images(np.array(labels), scores).tolist()


def test_golden_image_has_the_smallest_margin_above_20():
    scores = _scores((127, -128), (60, 40), (60, 39), (60, 38))
    assert _golden([3, 3, 3, 3], scores) == [2]  # margins of 255, 20, 21 and 22


def test_golden_image_without_a_margin_above_20_has_the_largest():
    assert _golden([3, 3, 3], _scores((60, 50), (60, 40), (60, 59))) == [1]


def test_golden_image_is_one_that_the_model_reads():
    assert _golden([7, 3, 7], _scores((60, 38), (60, 30), (60, 37))) == [1]


def test_golden_images_are_one_for_each_digit_in_order(candidate):
    labels, scores = candidate[1]["test_labels"], candidate[-1]
    chosen = gate.golden_images(labels, scores)
    assert labels[chosen].tolist() == list(range(10))
    assert scores[chosen].argmax(axis=1).tolist() == list(range(10))
