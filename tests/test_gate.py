"""The gate: a good candidate passes, and each bad one is refused with its reason."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import changed_model
from helpers import gate, integer_arithmetic, tflite
from helpers.files import TutorialError


def _edited(model_bytes, part, key, value):
    """Return the model with one entry of its flatbuffer changed."""

    def change(file):
        [graph] = file.subgraphs
        first, last = graph.operators[0], graph.operators[-1]
        parts = {
            "input": graph.tensors[0],
            "output": graph.tensors[-1],
            "code": file.operatorCodes[0],
            "operator": first,
            "weights": graph.tensors[first.inputs[1]],
        }
        if len(last.inputs) > 1:
            parts["dense weights"] = graph.tensors[last.inputs[1]]
        target = parts[part]
        if not hasattr(target, key):
            target = target.quantization
        setattr(target, key, value)

    return changed_model(model_bytes, change)


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


def _accuracy(images, lost, gained, allowed):
    # The check of so many images that only one of the two models reads.
    labels, before, after = (np.zeros(images, int) for _ in range(3))
    after[:lost] = 1
    before[lost : lost + gained] = 1
    return gate.check_accuracy(labels, before, after, allowed)


@pytest.mark.parametrize(
    ("images", "lost", "gained", "allowed", "passed"),
    [
        (1000, 16, 10, 0.5, True),  # six images of a thousand are chance
        (1000, 6, 0, 0.5, True),
        (1000, 40, 10, 0.5, False),
        (1000, 40, 10, 1.62, False),  # 3 - 1.96 sqrt(50 - 30² / 1000) / 10 = 1.627
        (1000, 40, 10, 1.63, True),
        (10_000, 130, 30, 0.5, False),
        (10_000, 130, 30, 1.0, True),
        (1000, 0, 0, 0.0, True),
        (1000, 3, 8, 0.0, True),
    ],
)
def test_accuracy_allows_for_chance_and_not_for_more(
    images, lost, gained, allowed, passed
):
    assert _accuracy(images, lost, gained, allowed).passed is passed


@pytest.mark.parametrize(
    ("lost", "gained", "chance"),
    [(40, 10, "1.37"), (400, 0, "3.04"), (0, 0, "0.00"), (100, 100, "2.77")],
)
def test_accuracy_chance_is_that_of_discordant_pairs(lost, gained, chance):
    sentence = _accuracy(1000, lost, gained, 0.5).sentence
    assert f"a drop of 0.5 points plus {chance} for chance" in sentence


def test_accuracy_sentence_counts_images_lost_and_gained():
    check = _accuracy(1000, 3, 8, 0.5)
    assert check.sentence.startswith(
        "997 of 1,000 correct (99.7 %); accuracy rose by 0.5 percentage points "
        "(3 images lost, 8 gained)."
    )


def test_accuracy_that_fell_too_far_names_what_helps():
    check = _accuracy(1000, 40, 10, 0.5)
    assert check.notebook == 4
    assert "More epochs or training images" in check.sentence


def test_require_names_the_first_notebook_that_can_change_what_was_found():
    bad = [_accuracy(1000, 40, 10, 0.5), gate.Check("input", False, "found.", 5)]
    with pytest.raises(TutorialError, match=r"notebook 4; run it and those after it"):
        gate.require([gate.Check("operators", True, "", 3), *reversed(bad)])


def test_all_checks_pass_a_good_candidate(candidate):
    checks = candidate.checks()
    assert _failed(checks) == []
    names = [check.name for check in checks]
    assert {"accuracy", "golden vectors", "integer arithmetic"} < set(names)


def _failed_with(candidate, scores):
    return _failed(replace(candidate, scores_i8=scores).checks())


def test_all_checks_refuse_scores_of_other_digits(candidate):
    wrong = np.roll(candidate.scores_i8, 1, axis=1)
    assert _failed_with(candidate, wrong) == ["accuracy", "golden vectors"]


def test_all_checks_refuse_a_model_that_never_answers_9(candidate):
    scores = candidate.scores_i8.copy()
    scores[:, 9] = -128
    assert "golden vectors" in _failed_with(candidate, scores)


def test_all_checks_refuse_a_model_that_reads_no_digit_clearly(candidate):
    unsure = replace(candidate, scores_i8=candidate.scores_i8 // 16)
    [check] = [check for check in unsure.checks() if not check.passed]
    assert check.sentence.startswith("0 of 10 digits have one.")
    assert check.sentence.endswith("read the others clearly.")


def test_all_checks_refuse_integers_that_differ(candidate, monkeypatch):
    wrong = [np.zeros((200, 10), int)]
    monkeypatch.setattr(integer_arithmetic, "run", lambda *_: wrong)
    assert _failed(candidate.checks()) == ["integer arithmetic"]


@pytest.fixture
def stand_in(models):
    return tflite.LiteRT(models(), reference=True)


@pytest.mark.parametrize(("steps", "passed"), [(0, True), (1, True), (2, False)])
def test_logits_one_step_off_pass_for_the_stand_in(stand_in, steps, passed):
    logits = np.int8([[-128, 5, 120]])
    assert gate.check_logits("", stand_in, logits, logits + steps).passed is passed


@pytest.mark.parametrize(("steps", "passed"), [(0, True), (1, False)])
def test_logits_of_tflm_have_to_be_equal(stand_in, steps, passed):
    stand_in.is_tflm = True
    logits = np.int8([[-128, 5, 120]])
    found = logits.copy()
    found[0, 1] += steps
    assert gate.check_logits("", stand_in, logits, found).passed is passed


@pytest.mark.parametrize("shape", [(1, 10), (200, 1), (1, 1), (200, 9), (10, 200)])
def test_logits_of_another_shape_are_not_compared(stand_in, shape):
    expected = np.full((200, 10), -128, np.int8)
    check = gate.check_logits("C", stand_in, expected, np.full(shape, -128, np.int8))
    assert not check.passed
    assert f"{shape}" in check.sentence and "(200, 10)" in check.sentence


def test_logits_of_no_image_prove_nothing(stand_in):
    nothing = np.empty((0, 10), np.int8)
    assert not gate.check_logits("C", stand_in, nothing, nothing).passed


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


def test_digit_without_a_margin_above_20_has_no_golden_image():
    assert _golden([3, 3, 3], _scores((60, 50), (60, 40), (60, 59))) == []


def test_golden_image_is_one_that_the_model_reads():
    assert _golden([7, 3, 7], _scores((60, 38), (60, 30), (60, 37))) == [1]


def test_golden_images_are_one_for_each_digit_in_order(candidate):
    labels = candidate.data["test_labels"]
    scores = candidate.scores_i8
    chosen = gate.golden_images(labels, scores)
    assert labels[chosen].tolist() == list(range(10))
    assert scores[chosen].argmax(axis=1).tolist() == list(range(10))
