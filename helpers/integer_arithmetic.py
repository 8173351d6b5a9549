"""The network in integers: one description of it, for NumPy and for C.

Sources: LiteRT 8-bit quantization specification
(https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec);
Jacob et al. 2017, arXiv:1712.05877, section 2.2; the rounding is that of gemmlowp
(``fixedpoint/fixedpoint.h``), which TensorFlow Lite Micro uses in its default build.
Softmax is left out: it does not change which of the ten logits is largest.
"""

from dataclasses import dataclass, replace

import numpy as np

from helpers.files import TutorialError

_NO_ACTIVATION = 0  # as in TensorFlow's schema.fbs
_RELU = 1
_VALID = 1
_OPTIONS = {  # by operator: its options, each with the values that are computed here
    "CONV_2D": {
        "padding": (_VALID,),
        "strideH": (1,),
        "strideW": (1,),
        "dilationHFactor": (1,),
        "dilationWFactor": (1,),
        "fusedActivationFunction": (_NO_ACTIVATION, _RELU),
    },
    "MAX_POOL_2D": {
        "padding": (_VALID,),
        "filterHeight": (2,),
        "filterWidth": (2,),
        "strideH": (2,),
        "strideW": (2,),
        "fusedActivationFunction": (_NO_ACTIVATION,),
    },
    "FULLY_CONNECTED": {"fusedActivationFunction": (_NO_ACTIVATION, _RELU)},
    "RESHAPE": {},
    "SOFTMAX": {},
}


@dataclass(frozen=True)
class Layer:
    """A convolution with its activation and the 2×2 max pooling after it, if any.

    A Dense layer is a convolution whose window spans its whole input. Windows move by
    one pixel, without padding; pooling drops what does not fill a block.
    """

    weights: np.ndarray  # int8, (filters, height, width, channels)
    bias: np.ndarray  # int32, (filters,)
    multiplier: np.ndarray  # (filters,): rescaling by multiplier * 2**(shift - 31)
    shift: np.ndarray
    input_zero_point: int
    output_scale: float
    output_zero_point: int
    lowest: int  # output: the zero point with ReLU, else -128; the highest is 127
    pool: bool
    input_shape: tuple  # (height, width, channels)
    output_shape: tuple  # likewise, after pooling
    tensor: int  # index of the model's tensor that holds the output


def layers(model):
    """Return the list of `Layer` of a `helpers.tflite.Model`, up to the logits.

    TutorialError if an operator, one of its options, or its place in the network is not
    described here. All have a bias: `helpers.gate` refuses models where one is missing.
    """
    found = []
    for operator in model.operators:
        _check(operator)
        if operator.name in ("CONV_2D", "FULLY_CONNECTED"):
            shape = found[-1].output_shape if found else model.input.shape[1:]
            found.append(_layer(model, operator, shape))
        elif operator.name == "MAX_POOL_2D":
            if not found or found[-1].pool:
                before = "another pooling" if found else "no layer"
                raise TutorialError(
                    f"The model has a MAX_POOL_2D with {before} before it, which the "
                    "integer arithmetic does not know; in the network of notebook 3 "
                    "put each pooling directly after a convolution."
                )
            height, width, filters = found[-1].output_shape
            found[-1] = replace(
                found[-1],
                pool=True,
                output_shape=(height // 2, width // 2, filters),
                tensor=operator.outputs[0],
            )
    return found


def _check(operator):
    if operator.name not in _OPTIONS:
        raise TutorialError(
            f"The model has a {operator.name}, which the integer arithmetic does not "
            f"know; in the network of notebook 3 use only {', '.join(_OPTIONS)}."
        )
    for option, known in _OPTIONS[operator.name].items():
        found = operator.options[option]
        if found not in known:
            expected = " or ".join(str(value) for value in known)
            raise TutorialError(
                f"The model has a {operator.name} with {option} = {found}, which the "
                f"integer arithmetic does not know; expected is {expected}: strides "
                "and dilations of 1, pooling of 2×2, no padding, and ReLU or no "
                "activation. Change the network of notebook 3."
            )


def _layer(model, operator, input_shape):
    source, weights, bias = (model.tensors[index] for index in operator.inputs)
    output = model.tensors[operator.outputs[0]]
    factor = source.scale * weights.scales
    values = weights.data
    if operator.name == "FULLY_CONNECTED":
        values = values.reshape(-1, *input_shape)
        if len(weights.scales) == 1:  # where the runtimes multiply in float32
            factor = np.float64(np.float32(source.scale) * np.float32(weights.scales))
    filters, height, width, _ = values.shape
    multiplier, shift = quantize_multiplier(factor / output.scale)
    has_relu = operator.options["fusedActivationFunction"] == _RELU
    return Layer(
        weights=values,
        bias=bias.data,
        multiplier=np.broadcast_to(multiplier, filters),
        shift=np.broadcast_to(shift, filters),
        input_zero_point=source.zero_point,
        output_scale=output.scale,
        output_zero_point=output.zero_point,
        lowest=output.zero_point if has_relu else -128,
        pool=False,
        input_shape=tuple(input_shape),
        output_shape=(input_shape[0] - height + 1, input_shape[1] - width + 1, filters),
        tensor=output.index,
    )


def quantize_multiplier(real):
    """Return multiplier and shift, int64, of factors: ``multiplier * 2**(shift - 31)``.

    The multiplier is in [2**30, 2**31); a negative shift moves right. As in
    ``QuantizeMultiplier`` of TensorFlow's ``quantization_util.cc``.
    """
    fraction, shift = np.frexp(np.asarray(real, np.float64))
    multiplier = np.floor(fraction * 2**31 + 0.5).astype(np.int64)
    rounded_up = multiplier == 2**31
    return np.where(rounded_up, 2**30, multiplier), shift.astype(np.int64) + rounded_up


def requantize(accumulators, multiplier, shift, zero_point, lowest=-128):
    """Turn int32 accumulators into the int8 values, `lowest` to 127, of a layer.

    `multiplier` and `shift` are one, or one for each entry of the last axis. This is
    ``MultiplyByQuantizedMultiplier`` with two roundings: first of the product's upper
    half, halves upwards; then of the shift to the right, halves away from zero.
    """
    left = np.maximum(shift, 0)
    right = np.maximum(-np.asarray(shift), 0)
    product = (np.asarray(accumulators, np.int64) << left) * multiplier
    high = (product + 2**30) >> 31
    half = (np.int64(1) << right) >> 1
    # >> rounds down, so halves of negative numbers need one less to go away from zero.
    scaled = (high + half - ((high < 0) & (right > 0))) >> right
    return np.clip(scaled + zero_point, lowest, 127).astype(np.int8)


def convolve(layer, images_i8):
    """Return the int8 output (images, height, width, filters) of one layer."""
    centred = images_i8.reshape(-1, *layer.input_shape).astype(np.float64)
    centred -= layer.input_zero_point  # whole numbers, exact in float64, and fast
    size = layer.weights.shape[1:3]
    windows = np.lib.stride_tricks.sliding_window_view(centred, size, axis=(1, 2))
    weights = layer.weights.transpose(3, 1, 2, 0).astype(np.float64)
    sums = np.tensordot(windows, weights, 3).astype(np.int64) + layer.bias
    if layer.pool:  # the order of the sums is that of the bytes: pool first
        height, width, filters = layer.output_shape
        sums = sums[:, : 2 * height, : 2 * width]
        sums = sums.reshape(-1, height, 2, width, 2, filters).max(axis=(2, 4))
    return requantize(
        sums, layer.multiplier, layer.shift, layer.output_zero_point, layer.lowest
    )


def run(layers, images_i8):
    """Return what `convolve` gives for each layer; the last are the logits.

    The images are int8 of shape (images, 28, 28, 1).
    """
    outputs = [images_i8]
    for layer in layers:
        outputs.append(convolve(layer, outputs[-1]))
    return outputs[1:]
