"""The layers of an int8 network, computed with integers only, many images at once.

Each function does what the reference kernel of the same name in TensorFlow Lite Micro
does (`tensorflow/lite/kernels/internal/reference/integer_ops/`), bit for bit; the
formulas are those of the TensorFlow Lite 8-bit quantization specification:
real value = scale × (int8 value − zero point), weights with zero point 0.
Images have the shape (images, height, width, channels).
"""

import numpy as np

from helpers.board.fixed_point import (
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    requantize,
)

INT8_MIN, INT8_MAX = -128, 127


def conv_2d(
    images, zero_point, weights, bias, stride=(1, 1), padding="VALID", dilation=(1, 1)
):
    """Return the int32 accumulators of a convolution.

    Each is the bias plus the sum of (input − zero point) × weight over one window.

    Parameters
    ----------
    images : ndarray of int8, shape (images, height, width, channels)
    zero_point : int
        Of the input.
    weights : ndarray of int8, shape (filters, height, width, channels)
    bias : ndarray of int32, shape (filters,)
    stride, dilation : tuple of int
        (rows, columns).
    padding : {"VALID", "SAME"}

    Returns
    -------
    ndarray of int32, shape (images, out_height, out_width, filters)
    """
    offset = images.astype(np.int32) - np.int32(zero_point)  # so padding is 0
    patches = windows(offset, weights.shape[1:3], stride, padding, dilation)
    flat = patches.reshape(*patches.shape[:3], -1)
    matrix = weights.reshape(len(weights), -1).astype(np.int32)
    return np.einsum("nhwk,fk->nhwf", flat, matrix) + bias


def depthwise_conv_2d(
    images, zero_point, weights, bias, stride=(1, 1), padding="VALID", dilation=(1, 1)
):
    """Return the int32 accumulators of a convolution with one filter per channel.

    Parameters
    ----------
    images, zero_point, bias, stride, padding, dilation
        As in `conv_2d`.
    weights : ndarray of int8, shape (1, height, width, channels × multiplier)
        Filter ``c * multiplier + m`` sees input channel ``c``.

    Returns
    -------
    ndarray of int32, shape (images, out_height, out_width, channels × multiplier)
    """
    offset = images.astype(np.int32) - np.int32(zero_point)
    multiplier = weights.shape[3] // images.shape[3]
    patches = windows(offset, weights.shape[1:3], stride, padding, dilation)
    patches = np.repeat(patches, multiplier, axis=-1)
    return np.einsum("nhwijc,ijc->nhwc", patches, weights[0].astype(np.int32)) + bias


def fully_connected(vectors, zero_point, weights, bias):
    """Return the int32 accumulators of a Dense layer.

    Parameters
    ----------
    vectors : ndarray of int8, shape (images, inputs)
    zero_point : int
        Of the input.
    weights : ndarray of int8, shape (outputs, inputs)
    bias : ndarray of int32, shape (outputs,)

    Returns
    -------
    ndarray of int32, shape (images, outputs)
    """
    offset = vectors.astype(np.int32) - np.int32(zero_point)
    return np.einsum("nk,fk->nf", offset, weights.astype(np.int32)) + bias


def max_pool_2d(images, size, stride, padding="VALID"):
    """Return the largest int8 value of each window; scale and zero point stay.

    Parameters
    ----------
    images : ndarray of int8, shape (images, height, width, channels)
    size, stride : tuple of int
        (rows, columns).
    padding : {"VALID", "SAME"}

    Returns
    -------
    ndarray of int8, shape (images, out_height, out_width, channels)
    """
    return windows(images, size, stride, padding, fill=INT8_MIN).max(axis=(3, 4))


def average_pool_2d(images, size, stride, padding="VALID"):
    """Return the mean of each window, rounded, halves away from zero.

    Parameters and shapes are those of `max_pool_2d`; what lies outside the image is not
    counted.
    """
    total = windows(images.astype(np.int32), size, stride, padding).sum(axis=(3, 4))
    inside = np.ones((1, *images.shape[1:3], 1), np.int32)
    count = windows(inside, size, stride, padding).sum(axis=(3, 4))
    return round_quotient(total, count).astype(np.int8)


def mean(images, axes, input_zero_point, scale_ratio, zero_point):
    """Return the mean over `axes`, rescaled to the output's scale and zero point.

    Parameters
    ----------
    images : ndarray of int8
        First axis: the images.
    axes : tuple of int
    input_zero_point, zero_point : int
        Of the input and of the output.
    scale_ratio : float
        Input scale / output scale.

    Returns
    -------
    ndarray of int8
        The axes that were averaged have length 1.

    Notes
    -----
    As in ``QuantizedMeanOrSum`` of TensorFlow's ``reduce.h``: the division by the
    number of values goes into the multiplier.
    """
    count = int(np.prod([images.shape[axis] for axis in axes]))
    total = images.sum(axis=axes, keepdims=True, dtype=np.int32)
    multiplier, shift = (int(value) for value in quantize_multiplier(scale_ratio))
    raised = min(count.bit_length() - 1, 32, 31 + shift)
    multiplier = (multiplier << raised) // count
    centred = total - input_zero_point * count
    return requantize(centred, multiplier, shift - raised, zero_point)


def add(one, other, scales, zero_points, lowest=INT8_MIN, highest=INT8_MAX):
    """Return the sum of two quantised arrays with different scales.

    Parameters
    ----------
    one, other : ndarray of int8
        Of shapes that NumPy can broadcast.
    scales, zero_points : sequence of 3
        Of `one`, of `other` and of the sum.
    lowest, highest : int
        Range of the output.

    Returns
    -------
    ndarray of int8

    Notes
    -----
    ``AddFunc`` of TensorFlow's ``integer_ops/add.h``: both are brought to twice the
    larger scale with 20 bits to spare, added, and brought to the output's scale.
    """
    spare_bits = 20
    common = 2 * max(scales[:2])
    total = 0
    for values, scale, zero_point in zip(
        (one, other), scales, zero_points, strict=False
    ):
        centred = (values.astype(np.int64) - zero_point) << spare_bits
        total = total + multiply_by_quantized_multiplier(
            centred, *quantize_multiplier(scale / common)
        )
    factor = quantize_multiplier(common / (2**spare_bits * scales[2]))
    return requantize(total, *factor, zero_points[2], lowest, highest)


def activation_range(activation, scale, zero_point):
    """Return the lowest and highest int8 output that a fused activation allows.

    Parameters
    ----------
    activation : {"NONE", "RELU", "RELU6", "RELU_N1_TO_1"}
    scale : float
    zero_point : int
        Of the output.

    Returns
    -------
    lowest, highest : int
    """
    reals = {"NONE": (None, None), "RELU": (0, None), "RELU6": (0, 6)}
    reals["RELU_N1_TO_1"] = (-1, 1)
    low, high = reals[activation]
    quantized = [
        None if real is None else zero_point + int(round_half_away(real / scale))
        for real in (low, high)
    ]
    lowest = INT8_MIN if low is None else max(INT8_MIN, quantized[0])
    highest = INT8_MAX if high is None else min(INT8_MAX, quantized[1])
    return lowest, highest


def windows(images, size, stride=(1, 1), padding="VALID", dilation=(1, 1), fill=0):
    """Return a view of every window that a filter of `size` sees.

    Parameters
    ----------
    images : ndarray, shape (images, height, width, channels)
    size, stride, dilation : tuple of int
        (rows, columns).
    padding : {"VALID", "SAME"}
        With ``"SAME"`` the output has ⌈size / stride⌉ rows and columns.
    fill : int
        What stands outside the image.

    Returns
    -------
    ndarray, shape (images, out_height, out_width, rows, columns, channels)
    """
    span = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
    if padding == "SAME":
        borders = [
            _border(length, n, step)
            for length, n, step in zip(images.shape[1:3], span, stride, strict=True)
        ]
        images = np.pad(images, [(0, 0), *borders, (0, 0)], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(images, span, axis=(1, 2))
    view = view[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return view.transpose(0, 1, 2, 4, 5, 3)


def _border(length, span, step):
    """Return how many rows or columns "SAME" padding puts before and after."""
    if span > 2 * length + 1:
        raise ValueError(f"a window of {span} does not fit {length} pixels")
    out = -(-length // step)
    total = max((out - 1) * step + span - length, 0)
    return total // 2, total - total // 2


def round_quotient(numerator, denominator):
    """Return numerator / denominator in integers, halves away from zero."""
    half = denominator // 2
    return np.sign(numerator) * ((np.abs(numerator) + half) // denominator)


def round_half_away(real):
    """Round to the nearest integer, halves away from zero, as C's ``round`` does."""
    return np.sign(real) * np.floor(np.abs(real) + 0.5)
