"""The integers against loops written out, exact fractions, and TFLM's every logit."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conftest import changed_model
from helpers import integer_arithmetic as ia
from helpers import tflite
from helpers.files import TutorialError


def _differing(layers, runtime, images):
    """Count for each layer the bytes that are not the runtime's."""
    expected = runtime.tensors(images)
    found = ia.run(layers, images)
    return [
        int((output != expected[layer.tensor].reshape(output.shape)).sum())
        for layer, output in zip(layers, found, strict=True)
    ]


@pytest.mark.tflm
@pytest.mark.parametrize("head", ["conv", "dense"])
@pytest.mark.parametrize(
    ("network", "seed"), [("tutorial", 0), ("tutorial", 1), ("compact", 0)]
)
def test_layers_on_1000_images_equal_tflm_in_every_byte(
    models, sample, network, head, seed
):
    runtime = tflite.TFLM(models(network, head, seed))
    layers = ia.layers(runtime.model)
    noise = np.random.default_rng(0).integers(-128, 128, (100, 28, 28, 1), np.int8)
    images = np.concatenate([sample["test_images"], noise])
    assert _differing(layers, runtime, images) == [0] * len(layers)


@pytest.mark.tflm
def test_layers_relu_with_zero_above_the_lowest_byte_equals_tflm(models, sample):
    def change(file):
        [graph] = file.subgraphs
        for operator in graph.operators[:2]:  # the first convolution and its pooling
            graph.tensors[operator.outputs[0]].quantization.zeroPoint = [-100]

    runtime = tflite.TFLM(changed_model(models(), change))
    layers = ia.layers(runtime.model)
    images = sample["test_images"][:100]
    assert _differing(layers, runtime, images) == [0] * len(layers)
    assert ia.convolve(layers[0], images).min() == -100


def test_layers_factor_of_a_dense_layer_with_one_scale_is_a_float32(models):
    # As TFLM's FullyConnected computes it; convolutions do it in float64.
    model = tflite.read(models(head="dense"))
    operator = model.operators[-1]
    source, weights = (model.tensors[i] for i in operator.inputs[:2])
    output = model.tensors[operator.outputs[0]]
    scale = np.float64(np.float32(0.0123))
    tensors = list(model.tensors)
    tensors[weights.index] = replace(weights, scales=np.array([scale]))
    layer = ia.layers(replace(model, tensors=tuple(tensors)))[-1]

    product = np.float32(source.scale) * np.float32(scale)
    multiplier, _ = ia.quantize_multiplier(float(product) / output.scale)
    in_float64, _ = ia.quantize_multiplier(source.scale * scale / output.scale)
    assert set(layer.multiplier.tolist()) == {int(multiplier)} != {int(in_float64)}


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(st.integers(3, 7), st.integers(3, 7), st.integers(1, 3)),
    st.booleans(),
    st.integers(-128, 127),
    st.integers(0, 99),
)
def test_convolve_any_shape_equals_loops(shape, pool, zero_point, seed):
    random = np.random.default_rng(seed)
    height, width, channels = shape
    images = random.integers(-128, 128, (2, *shape), np.int8)
    weights = random.integers(-128, 128, (4, 2, 2, channels), np.int8)
    bias = random.integers(-1000, 1000, 4, np.int32)
    multiplier, shift = ia.quantize_multiplier(random.uniform(1e-4, 1e-2, 4))
    sums = np.zeros((2, height - 1, width - 1, 4), int)
    for place in np.ndindex(sums.shape):
        image, row, column, number = place
        window = images[image, row : row + 2, column : column + 2].astype(int)
        sums[place] = ((window - zero_point) * weights[number]).sum() + bias[number]
    bytes_i8 = ia.requantize(sums, multiplier, shift, 3, lowest=3)
    size = sums.shape[1:3]
    if pool:
        size = size[0] // 2, size[1] // 2
        whole = bytes_i8[:, : 2 * size[0], : 2 * size[1]]
        left = np.maximum(whole[:, ::2, ::2], whole[:, 1::2, ::2])
        right = np.maximum(whole[:, ::2, 1::2], whole[:, 1::2, 1::2])
        bytes_i8 = np.maximum(left, right)
    layer = ia.Layer(
        weights=weights,
        bias=bias,
        multiplier=multiplier,
        shift=shift,
        input_zero_point=zero_point,
        output_scale=1.0,
        output_zero_point=3,
        lowest=3,
        pool=pool,
        input_shape=shape,
        output_shape=(*size, 4),
        tensor=0,
    )
    np.testing.assert_array_equal(ia.convolve(layer, images), bytes_i8)


@given(st.floats(2.0**-30, 2.0**20))
@example(1 - 2.0**-40)  # its multiplier rounds up to 2**31
def test_quantize_multiplier_any_factor_is_within_half_a_step(real):
    multiplier, shift = (int(part) for part in ia.quantize_multiplier(real))
    step = Fraction(2) ** (shift - 31)
    assert 2**30 <= multiplier < 2**31
    assert abs(multiplier * step - Fraction(real)) <= step / 2


@given(st.integers(-(2**24), 2**24), st.integers(2**30, 2**31 - 1), st.integers(-24, 6))
def test_requantize_any_factor_rounds_twice_as_gemmlowp_defines(
    value, multiplier, shift
):
    product = value * 2 ** max(shift, 0) * multiplier
    high = math.floor(Fraction(product, 2**31) + Fraction(1, 2))
    parts = Fraction(abs(high), 2 ** max(-shift, 0))
    expected = math.floor(parts + Fraction(1, 2)) * (1 if high >= 0 else -1)
    found = int(ia.requantize(value, multiplier, shift, zero_point=5))
    assert found == min(max(expected + 5, -128), 127)


def _model(models, *operators):
    """Return the stored model with other operators."""
    return replace(tflite.read(models()), operators=operators)


def test_layers_unknown_operator_is_named(models):
    convolution = tflite.read(models()).operators[0]
    with pytest.raises(TutorialError, match=r"has a TANH, .* notebook 3 use only"):
        ia.layers(_model(models, replace(convolution, name="TANH")))


@pytest.mark.parametrize(
    ("number", "option", "value"),
    [
        (0, "strideH", 2),
        (0, "padding", 0),
        (0, "dilationWFactor", 2),
        (0, "fusedActivationFunction", 3),
        (1, "filterWidth", 3),
        (1, "fusedActivationFunction", 1),
    ],
)
def test_layers_unknown_option_is_named(models, number, option, value):
    model = tflite.read(models())
    model.operators[number].options[option] = value
    with pytest.raises(TutorialError, match=f"with {option} = {value}, .* notebook 3"):
        ia.layers(model)


def test_layers_two_poolings_in_a_row_are_refused(models):
    convolution, pooling = tflite.read(models()).operators[:2]
    with pytest.raises(TutorialError, match="MAX_POOL_2D with another pooling before"):
        ia.layers(_model(models, convolution, pooling, pooling))


def test_layers_pooling_first_is_refused(models):
    pooling = tflite.read(models()).operators[1]
    with pytest.raises(TutorialError, match="MAX_POOL_2D with no layer before"):
        ia.layers(_model(models, pooling))
