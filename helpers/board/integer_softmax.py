"""Softmax of int8 logits in fixed point, as the board computes it.

exp is a polynomial on [-1/4, 0) times tabulated powers, 1/x three steps of Newton's
method; numbers are written Qa.b: a bits before the binary point, b after it. Source:
gemmlowp's `fixedpoint/fixedpoint.h` and TensorFlow's `reference/softmax.h`.
"""

import numpy as np

from helpers.board.fixed_point import (
    high_multiply,
    quantize_multiplier,
    rounding_right_shift,
)

_ONE = 2**31 - 1  # 1.0 in Q0.31, as near as it gets
_EXPONENT_BITS = 26  # the argument of exp is Q5.26

# e^(-2^k) in Q0.31, with the bit of a Q5.26 number that stands for 2^k
_POWERS = [
    (1 << 24, 1672461947),
    (1 << 25, 1302514674),
    (1 << 26, 790015084),
    (1 << 27, 290630308),
    (1 << 28, 39332535),
    (1 << 29, 720401),
    (1 << 30, 242),
]


def softmax(logits, scale, beta=1.0):
    """Return the int8 probabilities of int8 logits.

    Parameters
    ----------
    logits : ndarray of int8, shape (..., classes)
    scale : float
        Of the logits. Their zero point cancels out.
    beta : float
        Factor before exp; 1 for the ordinary softmax.

    Returns
    -------
    ndarray of int8, shape (..., classes)
        Probability = (value + 128) / 256.
    """
    difference = logits.astype(np.int64) - logits.max(axis=-1, keepdims=True)
    exponent, counts = _rescaled(difference, float(scale) * beta)
    exponentials = np.where(counts, exp_of_negative(exponent), 0)
    total = rounding_right_shift(exponentials, 12).sum(axis=-1, keepdims=True)  # Q12.19
    inverse, bits = _reciprocal(total)
    quotient = high_multiply(inverse, exponentials)
    rounded = rounding_right_shift(quotient, bits + 31 - 8)
    return np.where(counts, np.clip(rounded - 128, -128, 127), -128).astype(np.int8)


def _rescaled(difference, factor):
    """Return difference × factor in Q5.26, and where it is not too small to count."""
    multiplier, shift = quantize_multiplier(
        min(factor * 2**_EXPONENT_BITS, 2.0**31 - 1)
    )
    smallest = -((31 << _EXPONENT_BITS) >> int(shift))
    counts = difference >= smallest
    return high_multiply(np.where(counts, difference, 0) << shift, multiplier), counts


def exp_of_negative(value):
    """Return e^value in Q0.31.

    Parameters
    ----------
    value : ndarray of int64
        Zero or negative, in Q5.26.

    Returns
    -------
    ndarray of int64
    """
    quarter = 1 << (_EXPONENT_BITS - 2)
    fraction = (value & (quarter - 1)) - quarter  # in [-1/4, 0)
    result = _exp_of_fraction(fraction << 5)
    rest = fraction - value
    for bit, power in _POWERS:
        result = np.where(rest & bit, high_multiply(result, power), result)
    return np.where(value == 0, _ONE, result)


def _exp_of_fraction(fraction):
    """Return e^fraction, both in Q0.31, from its Taylor series around -1/8."""
    x = fraction + (1 << 28)
    x2 = high_multiply(x, x)
    x3 = high_multiply(x2, x)
    x4 = high_multiply(x2, x2)
    third = 715827883
    cubic = high_multiply(rounding_right_shift(x4, 2) + x3, third)
    series = x + rounding_right_shift(cubic + x2, 1)
    at_minus_an_eighth = 1895147668
    return at_minus_an_eighth + high_multiply(at_minus_an_eighth, series)


def _reciprocal(total):
    """Return 2^-bits / total as Q0.31 with that `bits`; `total` is Q12.19."""
    length = np.frexp(total.astype(np.float64))[1].astype(np.int64)  # exact: bits used
    fraction = (total << (32 - length)) - (1 << 31)  # total = 2^bits × (1 + fraction)
    half = (fraction + _ONE + 1) // 2
    x = 1515870810 + high_multiply(half, -1010580540)  # 48/17 − 32/17 × half, Q2.29
    for _ in range(3):
        error = (1 << 29) - high_multiply(half, x)
        x = x + (high_multiply(x, error) << 2)
    return np.minimum(x << 1, _ONE), 12 - (32 - length)
