"""The integer layers against loops written out, and against TFLM tensor by tensor."""

import itertools

import numpy as np
import pytest
from edit_model import edited
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.board import integer_arithmetic as layers
from helpers.board.integer_model import Integers
from helpers.board.integer_softmax import softmax
from helpers.board.runtimes import TFLM, LiteRT
from helpers.errors import TutorialError

MODELS = [
    ("conv", "tutorial", 0),
    ("conv", "tutorial", 1),
    ("conv", "tutorial", 2),
    ("dense", "tutorial", 0),
    ("dense", "tutorial", 1),
    ("dense", "tutorial", 2),
    ("conv", "compact", 0),
    ("dense", "compact", 0),
]


@pytest.mark.tflm
@pytest.mark.parametrize(("head", "network", "seed"), MODELS)
def test_every_tensor_on_1000_images_equals_tflm(
    candidate, sample, head, network, seed
):
    model_bytes = candidate(head, network, seed)
    expected = TFLM(model_bytes).intermediates(sample["test_images"])
    found = Integers(model_bytes).intermediates(sample["test_images"])
    assert found.keys() == expected.keys()
    assert len(sample["test_images"]) == 1000
    differing = {i: int((found[i] != expected[i]).sum()) for i in expected}
    assert differing == dict.fromkeys(expected, 0)


@pytest.mark.tflm
def test_every_tensor_of_random_bytes_equals_tflm(candidate):
    noise = np.random.default_rng(0).integers(-128, 128, (200, 28, 28, 1), np.int8)
    expected = TFLM(candidate()).intermediates(noise)
    found = Integers(candidate()).intermediates(noise)
    for index in expected:
        np.testing.assert_array_equal(found[index], expected[index])


@pytest.fixture(scope="module")
def every_operator(sample):
    """Convert an untrained network that uses every operator, "same" padding too."""
    from helpers.learn.conversion import convert
    from helpers.quiet import quiet

    with quiet():
        import keras
    keras.utils.set_random_seed(3)
    layers = keras.layers
    inputs = keras.Input(batch_shape=(1, 28, 28, 1))
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu6")(inputs)
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1)(x)
    x = layers.Reshape((7, 28, 4))(layers.Add()([x, y]))
    y = layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu")(x)
    y = layers.Conv2D(8, 3, dilation_rate=2, padding="valid")(y)
    y = layers.MaxPool2D(3, strides=2, padding="same")(y)
    y = layers.AveragePooling2D(2, padding="same")(y)
    y = layers.GlobalAveragePooling2D()(y)
    outputs = layers.Softmax()(layers.Dense(10)(y))
    return convert(keras.Model(inputs, outputs), sample["train_images"][:50])


@pytest.mark.tflm
def test_every_operator_equals_tflm_on_every_tensor(every_operator, sample):
    images = sample["test_images"][:200]
    integers = Integers(every_operator)
    assert integers.model.operator_names == [
        "ADD",
        "AVERAGE_POOL_2D",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
        "MAX_POOL_2D",
        "MEAN",
        "RESHAPE",
        "SOFTMAX",
    ]
    expected = TFLM(every_operator).intermediates(images)
    found = integers.intermediates(images)
    differing = {i: int((found[i] != expected[i]).sum()) for i in expected}
    assert differing == dict.fromkeys(expected, 0)


@pytest.mark.tflm
def test_a_changed_rounding_is_noticed(candidate, sample, monkeypatch):
    from helpers.board import fixed_point

    def rounds_down(value, bits):
        return np.asarray(value, np.int64) >> bits

    expected = TFLM(candidate()).run(sample["test_images"][:100])
    monkeypatch.setattr(fixed_point, "rounding_right_shift", rounds_down)
    assert (Integers(candidate()).run(sample["test_images"][:100]) != expected).any()


@pytest.mark.parametrize("head", ["conv", "dense"])
def test_scores_are_within_one_of_litert_reference_kernels(candidate, sample, head):
    images = sample["test_images"][:300]
    found = Integers(candidate(head)).run(images).astype(int)
    expected = LiteRT(candidate(head), reference=True).run(images)
    assert np.abs(found - expected).max() <= 1


def test_run_reports_progress_and_gives_the_last_intermediate(candidate, sample):
    images = sample["test_images"][:600]
    steps = []
    integers = Integers(candidate())
    scores = integers.run(images, progress=steps.append)
    assert sum(steps) == 600
    last = integers.intermediates(images)[integers.model.outputs[0]]
    np.testing.assert_array_equal(scores, last.reshape(600, 10))


def test_run_no_images_gives_no_scores(candidate, sample):
    assert Integers(candidate()).run(sample["test_images"][:0]).shape == (0, 10)


def test_run_unknown_operator_is_named(candidate, sample):
    def use_tanh(model, _):
        codes = [code for code in model.operatorCodes if code.builtinCode == 25]
        codes[0].builtinCode = codes[0].deprecatedBuiltinCode = 28

    damaged = edited(candidate(), use_tanh)
    with pytest.raises(TutorialError, match="TANH is not among"):
        Integers(damaged).run(sample["test_images"][:1])


shapes = st.tuples(st.integers(3, 7), st.integers(3, 7), st.integers(1, 3))
pairs = st.tuples(st.integers(1, 2), st.integers(1, 2))
paddings = st.sampled_from(["VALID", "SAME"])


def _window_rows(length, window, stride, dilation, padding):
    """List for each output row the input rows that its window sees, None if outside."""
    span = (window - 1) * dilation + 1
    before = 0
    count = (length - span) // stride + 1
    if padding == "SAME":
        count = -(-length // stride)
        before = max((count - 1) * stride + span - length, 0) // 2
    for out in range(count):
        rows = (out * stride - before + k * dilation for k in range(window))
        yield [row if 0 <= row < length else None for row in rows]


def _loop(images, size, stride, dilation, padding, combine):
    """Call ``combine(image, [(i, j, row, column), ...])`` for each window."""
    rows = list(_window_rows(images.shape[1], size[0], stride[0], dilation[0], padding))
    columns = list(
        _window_rows(images.shape[2], size[1], stride[1], dilation[1], padding)
    )
    return np.array(
        [
            [[combine(image, _inside(r, c)) for c in columns] for r in rows]
            for image in images
        ]
    )


def _inside(rows, columns):
    cells = itertools.product(enumerate(rows), enumerate(columns))
    return [
        (i, j, row, column)
        for (i, row), (j, column) in cells
        if row is not None and column is not None
    ]


def _random(seed, *shape):
    return np.random.default_rng(seed).integers(-128, 128, shape, np.int8)


@settings(deadline=None, max_examples=60)
@given(shapes, pairs, pairs, paddings, st.integers(-128, 127), st.integers(0, 99))
def test_conv_2d_any_geometry_equals_loops(
    shape, stride, dilation, padding, zero_point, seed
):
    images, weights = _random(seed, 2, *shape), _random(seed, 4, 2, 2, shape[2])
    bias = np.arange(4, dtype=np.int32)

    def combine(image, cells):
        total = bias.astype(int)
        for i, j, row, column in cells:
            values = image[row, column].astype(int) - zero_point
            total = total + weights[:, i, j].astype(int) @ values
        return total

    expected = _loop(images, (2, 2), stride, dilation, padding, combine)
    found = layers.conv_2d(images, zero_point, weights, bias, stride, padding, dilation)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)


@settings(deadline=None, max_examples=60)
@given(shapes, pairs, paddings, st.integers(1, 2), st.integers(0, 99))
def test_depthwise_conv_2d_any_geometry_equals_loops(
    shape, stride, padding, multiplier, seed
):
    images = _random(seed, 2, *shape)
    weights = _random(seed, 1, 2, 2, shape[2] * multiplier)
    bias = np.arange(shape[2] * multiplier, dtype=np.int32)

    def combine(image, cells):
        total = bias.astype(int)
        for i, j, row, column in cells:
            values = np.repeat(image[row, column].astype(int) + 5, multiplier)
            total = total + weights[0, i, j].astype(int) * values
        return total

    expected = _loop(images, (2, 2), stride, (1, 1), padding, combine)
    found = layers.depthwise_conv_2d(images, -5, weights, bias, stride, padding)
    np.testing.assert_array_equal(found, expected)


@settings(deadline=None, max_examples=60)
@given(shapes, pairs, paddings, st.integers(0, 99))
def test_pooling_any_geometry_equals_loops(shape, stride, padding, seed):
    images = _random(seed, 2, *shape)

    def largest(image, cells):
        return np.max([image[row, column] for *_, row, column in cells], axis=0)

    def average(image, cells):
        values = [image[row, column].astype(int) for *_, row, column in cells]
        exact = np.sum(values, axis=0) / len(cells)
        return np.sign(exact) * np.floor(np.abs(exact) + 0.5)

    for layer, combine in (
        (layers.max_pool_2d, largest),
        (layers.average_pool_2d, average),
    ):
        found = layer(images, (2, 2), stride, padding)
        assert found.dtype == np.int8
        expected = _loop(images, (2, 2), stride, (1, 1), padding, combine)
        np.testing.assert_array_equal(found, expected)


def test_conv_2d_one_pixel_by_hand():
    image = np.array([[1, 2], [3, 4]], np.int8).reshape(1, 2, 2, 1)
    weights = np.array([[1, -1], [2, 0]], np.int8).reshape(1, 2, 2, 1)
    found = layers.conv_2d(image, -128, weights, np.array([10], np.int32))
    assert found.item() == 10 + 129 - 130 + 2 * 131


def test_fully_connected_by_hand():
    found = layers.fully_connected(
        np.array([[1, -2]], np.int8),
        3,
        np.array([[2, 5], [-1, 1]], np.int8),
        np.array([7, 0], np.int32),
    )
    assert found.tolist() == [[7 - 4 - 25, 2 - 5]]


@given(st.integers(0, 999))
@settings(deadline=None, max_examples=100)
def test_add_any_scales_is_within_one_step_of_the_real_sum(seed):
    random = np.random.default_rng(seed)
    one, other = _random(seed, 50), _random(seed + 1, 50)
    scales = random.uniform(0.01, 1, 2).tolist()
    scales.append(sum(scales))
    zero_points = random.integers(-128, 128, 3).tolist()
    found = layers.add(one, other, scales, zero_points)
    real = scales[0] * (one.astype(float) - zero_points[0])
    real += scales[1] * (other.astype(float) - zero_points[1])
    expected = np.clip(real / scales[2] + zero_points[2], -128, 127)
    assert np.abs(found - expected).max() <= 0.5 + 1e-3


@given(st.integers(0, 999), st.integers(1, 30))
@settings(deadline=None, max_examples=100)
def test_mean_any_values_is_within_one_step_of_the_real_mean(seed, side):
    images = _random(seed, 2, side, 3, 4)
    found = layers.mean(images, (1, 2), -10, 0.5, 20)
    expected = (images.astype(float).mean(axis=(1, 2), keepdims=True) + 10) * 0.5 + 20
    assert np.abs(found - np.clip(expected, -128, 127)).max() < 1  # rounded twice


@given(st.integers(0, 999), st.floats(0.001, 1.0))
@settings(deadline=None, max_examples=100)
def test_softmax_any_logits_is_within_one_step_of_the_real_one(seed, scale):
    logits = _random(seed, 20, 10)
    real = np.exp(scale * (logits.astype(float) - logits.max(axis=1, keepdims=True)))
    real /= real.sum(axis=1, keepdims=True)
    expected = np.clip(np.floor(real * 256 + 0.5) - 128, -128, 127)
    assert np.abs(softmax(logits, scale) - expected).max() <= 1


def test_activation_range_relu_starts_at_the_zero_point():
    assert layers.activation_range("RELU", 0.1, -20) == (-20, 127)
    assert layers.activation_range("RELU6", 0.1, -20) == (-20, 40)
    assert layers.activation_range("NONE", 0.1, -20) == (-128, 127)
    assert layers.activation_range("RELU_N1_TO_1", 0.1, 0) == (-10, 10)
