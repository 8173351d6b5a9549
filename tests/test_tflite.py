"""What is read from a flatbuffer, against LiteRT's account, and the runtimes."""

import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import changed_model
from helpers import tflite
from helpers.files import TutorialError

TFLM = pytest.param(tflite.TFLM, marks=pytest.mark.tflm)
REFERENCE = pytest.param(partial(tflite.LiteRT, reference=True), id="reference")
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
@pytest.mark.parametrize("make", [TFLM, tflite.LiteRT, REFERENCE])
def test_run_reads_digits_and_prints_nothing(models, sample, make, head, capfd):
    runtime = make(models(head=head))
    images, labels = sample["test_images"][:300], sample["test_labels"][:300]
    scores = runtime.run(images)
    assert (scores.dtype, scores.shape) == (np.int8, (300, 10))
    assert (scores.argmax(axis=1) == labels).mean() > 0.8
    assert capfd.readouterr() == ("", "")


@HEADS
@pytest.mark.parametrize("make", [TFLM, REFERENCE])
def test_last_tensor_has_the_scores(models, sample, make, head):
    runtime = make(models(head=head))
    images = sample["test_images"][:300]
    last = runtime.tensors(images)[runtime.model.output.index]
    np.testing.assert_array_equal(last.reshape(300, 10), runtime.run(images))


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
    new(model_bytes, arena_size=arena.recommended).invoke()
    with pytest.raises(RuntimeError):
        new(model_bytes, arena_size=arena.used - 16)


@pytest.mark.tflm
@pytest.mark.parametrize("network", ["tutorial", "compact"])
def test_arena_estimate_is_near_what_tflm_uses(models, network):
    used = tflite.arena(tflite.TFLM(models(network))).used
    estimate = tflite.arena(tflite.LiteRT(models(network)))
    assert used <= estimate.used <= 1.2 * used
    assert "estimated" in estimate.rule


class UsesBytes:
    """A runtime that uses so many bytes of its arena."""

    is_tflm = True

    def __init__(self, used):
        self.used = used

    def arena_used(self):
        return self.used


@pytest.mark.parametrize(("used", "kib"), [(9_040, 11), (8_533, 10), (8_534, 11)])
def test_arena_recommended_is_a_fifth_more_in_whole_kib(used, kib):
    arena = tflite.arena(UsesBytes(used))
    assert arena.recommended == kib * 1024
    assert arena.rule.startswith(f"{used:,} bytes in use with TensorFlow Lite Micro")
    assert "plus 20 % for other kernels" in arena.rule


@pytest.mark.parametrize("identifier", [b"TFL2", b"TFL4", b"ABCD"])
def test_read_file_of_another_format_is_refused(models, identifier):
    other = models()[:4] + identifier + models()[8:]
    with pytest.raises(TutorialError, match="not a whole TensorFlow Lite model"):
        tflite.read(other)


def test_read_file_of_another_version_is_refused(models):
    other = changed_model(models(), lambda file: setattr(file, "version", 4))
    with pytest.raises(TutorialError, match="not a whole TensorFlow Lite model"):
        tflite.read(other)


@pytest.fixture
def without_tflm(monkeypatch, tmp_path):
    """Return a function that puts a package with this source in TFLM's place."""
    for name in list(sys.modules):
        if name.split(".")[0] == "tflite_micro":
            monkeypatch.delitem(sys.modules, name)

    def replace(source):
        if source is None:
            monkeypatch.setitem(sys.modules, "tflite_micro", None)
            return
        (tmp_path / "tflite_micro.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)

    return replace


BROKEN = {
    None: "its package exists for Linux on x86-64 only",
    "raise ImportError('a.so: undefined symbol: _ZN')": "undefined symbol: _ZN",
    "import pkg_resources_gone": "No module named 'pkg_resources_gone'",
    "raise OSError('no memory\\nat all')": "no memory)",
}


@pytest.mark.parametrize("source", BROKEN)
def test_stand_in_for_tflm_says_why(models, without_tflm, source):
    without_tflm(source)
    runtime = tflite.tflm_or_stand_in(models())
    assert not runtime.is_tflm
    assert "reference kernels" in runtime.name
    assert "stand in for it" in runtime.notice
    assert BROKEN[source] in runtime.notice
    assert "\n" not in runtime.notice
