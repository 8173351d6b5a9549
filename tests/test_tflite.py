"""What is read from a flatbuffer, against LiteRT's account, and the runtimes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import tflite
from helpers.files import TutorialError

RUNTIMES = [
    pytest.param(tflite.TFLM, marks=pytest.mark.tflm),
    tflite.LiteRT,
    pytest.param(lambda data: tflite.LiteRT(data, reference=True), id="reference"),
]
HEADS = pytest.mark.parametrize("head", ["conv", "dense"])


@HEADS
def test_read_model_is_what_litert_says_of_it(models, head):
    from ai_edge_litert.interpreter import Interpreter

    model = tflite.read(models(head=head))
    interpreter = Interpreter(model_content=models(head=head))
    interpreter.allocate_tensors()
    expected = interpreter._get_ops_details()[: len(model.operators)]
    for operator, found in zip(expected, model.operators, strict=True):
        assert operator["op_name"] == found.name
        assert operator["inputs"].tolist() == list(found.inputs)
    details = interpreter.get_tensor_details()[: len(model.tensors)]
    for detail, tensor in zip(details, model.tensors, strict=True):
        quantization = detail["quantization_parameters"]
        assert (detail["name"], detail["index"]) == (tensor.name, tensor.index)
        assert (*detail["shape"],) == tensor.shape
        assert detail["dtype"] == np.dtype(tensor.dtype)
        for key, values in quantization.items():  # LiteRT repeats a single scale
            if key in ("scales", "zero_points"):
                expected = np.broadcast_to(getattr(tensor, key), values.shape)
                np.testing.assert_array_equal(values, expected)
        if tensor.data is not None:
            stored = interpreter.get_tensor(tensor.index)
            np.testing.assert_array_equal(stored, tensor.data)
    assert model.input.index == interpreter.get_input_details()[0]["index"]
    assert model.output.index == interpreter.get_output_details()[0]["index"]


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 0.99))
def test_read_model_cut_anywhere_names_notebook_5(models, share):
    with pytest.raises(TutorialError, match="run notebook 05_quantize_model"):
        tflite.read(models()[: int(share * len(models()))])


@HEADS
@pytest.mark.parametrize("make", RUNTIMES)
def test_run_reads_digits_and_its_scores_are_the_last_tensor(
    models, sample, make, head, capfd
):
    runtime = make(models(head=head))
    images, labels = sample["test_images"][:300], sample["test_labels"][:300]
    scores, tensors = runtime.run(images), runtime.tensors(images)
    assert (scores.dtype, scores.shape) == (np.int8, (300, 10))
    assert (scores.argmax(axis=1) == labels).mean() > 0.8
    last = tensors[runtime.model.output.index].reshape(300, 10)
    np.testing.assert_array_equal(last, scores)
    assert capfd.readouterr() == ("", "")


@pytest.mark.tflm
@HEADS
def test_litert_reads_as_tflm_and_its_reference_kernels_within_one(
    models, sample, head
):
    images, model_bytes = sample["test_images"], models(head=head)
    exact = tflite.TFLM(model_bytes).run(images).astype(int)
    found = tflite.LiteRT(model_bytes, reference=True).run(images)
    assert np.abs(found - exact).max() <= 1
    fast = tflite.LiteRT(model_bytes).run(images)
    assert (fast.argmax(axis=1) != exact.argmax(axis=1)).mean() <= 0.005


@pytest.mark.tflm
@pytest.mark.parametrize("network", ["tutorial", "compact"])
def test_arena_recommended_works_and_less_than_used_does_not(models, network):
    from tflite_micro import runtime

    model_bytes = models(network)
    arena = tflite.arena(tflite.TFLM(model_bytes))
    new = runtime.Interpreter.from_bytes
    new(model_bytes, arena_size=arena["arena_recommended"]).invoke()
    with pytest.raises(RuntimeError):
        new(model_bytes, arena_size=arena["arena_used"] - 16)
    estimate = tflite.arena(tflite.LiteRT(model_bytes))
    assert arena["arena_used"] <= estimate["arena_used"] <= 1.5 * arena["arena_used"]
    assert "estimated" in estimate["arena_rule"]


def test_stand_in_for_tflm_says_so(models, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    runtime = tflite.tflm_or_stand_in(models())
    assert "reference kernels" in runtime.name
    assert not runtime.is_tflm
    assert "stand in" in runtime.notice
