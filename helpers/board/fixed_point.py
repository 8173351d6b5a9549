"""A real factor applied with integers only: the rescaling step of every int8 layer.

Sources: TensorFlow Lite 8-bit quantization specification
(https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec);
Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", section 2.2; the rounding is gemmlowp's
(`fixedpoint/fixedpoint.h`), which TensorFlow Lite Micro uses in its default build.
All functions take scalars or arrays. They compute in int64, so that nothing overflows,
and return what the int32 code of the runtime returns.
"""

import numpy as np


def quantize_multiplier(real):
    """Write a positive real factor as ``multiplier * 2**(shift - 31)``.

    Parameters
    ----------
    real : float or ndarray of float64
        For a convolution input scale × weight scale / output scale.

    Returns
    -------
    multiplier, shift : int64, each of the shape of `real`
        `multiplier` is 0 or in [2**30, 2**31); a negative `shift` moves right.

    Notes
    -----
    ``QuantizeMultiplier`` in TensorFlow's ``quantization_util.cc``. This is done once,
    when a model is loaded; the board computes no more floating point after that.
    """
    fraction, shift = np.frexp(np.asarray(real, np.float64))
    multiplier = np.floor(fraction * 2**31 + 0.5).astype(np.int64)
    shift = shift.astype(np.int64)
    rounded_up = multiplier == 2**31
    multiplier = np.where(rounded_up, 2**30, multiplier)
    shift = shift + rounded_up
    vanishes = shift < -31
    return np.where(vanishes, 0, multiplier), np.where(vanishes, 0, shift)


def high_multiply(a, b):
    """Return ``a * b / 2**31``, rounded to the nearest integer, halves upwards.

    Parameters
    ----------
    a, b : int or ndarray
        int32 values.

    Returns
    -------
    int64 or ndarray of int64
        In the range of int32.

    Notes
    -----
    gemmlowp's ``SaturatingRoundingDoublingHighMul``; the one product that would not
    fit, (-2**31)², saturates.
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum((product + 2**30) >> 31, 2**31 - 1)


def rounding_right_shift(value, bits):
    """Return ``value / 2**bits``, rounded, halves away from zero.

    Parameters
    ----------
    value : int or ndarray
    bits : int or ndarray
        0 to 31.

    Returns
    -------
    int64 or ndarray of int64

    Notes
    -----
    gemmlowp's ``RoundingDivideByPOT``.
    """
    value = np.asarray(value, np.int64)
    mask = (np.int64(1) << np.asarray(bits, np.int64)) - 1
    threshold = (mask >> 1) + (value < 0)
    return (value >> bits) + ((value & mask) > threshold)


def multiply_by_quantized_multiplier(value, multiplier, shift):
    """Return ``value * multiplier * 2**(shift - 31)`` with gemmlowp's two roundings.

    Parameters
    ----------
    value : int or ndarray
        int32, for example the accumulators of a convolution.
    multiplier, shift : int or ndarray
        From `quantize_multiplier`; arrays apply to the last axis of `value`.

    Returns
    -------
    int64 or ndarray of int64

    Notes
    -----
    ``MultiplyByQuantizedMultiplier`` in TensorFlow's ``common.cc``, in the form with
    two roundings (``TFLITE_SINGLE_ROUNDING`` undefined, TFLM's default).
    """
    shift = np.asarray(shift, np.int64)
    raised = np.asarray(value, np.int64) << np.maximum(shift, 0)
    return rounding_right_shift(
        high_multiply(raised, multiplier), np.maximum(-shift, 0)
    )


def requantize(accumulators, multiplier, shift, zero_point, lowest=-128, highest=127):
    """Turn int32 accumulators into the int8 values that a layer puts out.

    Parameters
    ----------
    accumulators : ndarray of int32
    multiplier, shift : int or ndarray
        From `quantize_multiplier`; one, or one for each output channel.
    zero_point : int
        Of the output, -128 to 127.
    lowest, highest : int
        Range of the output; a fused ReLU makes `lowest` the zero point.

    Returns
    -------
    ndarray of int8
        Of the shape of `accumulators`.
    """
    scaled = multiply_by_quantized_multiplier(accumulators, multiplier, shift)
    return np.clip(scaled + zero_point, lowest, highest).astype(np.int8)
