"""The fixed-point rescaling against exact fractions and gemmlowp's own definition."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from helpers.board.fixed_point import (
    high_multiply,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    requantize,
    rounding_right_shift,
)

int32 = st.integers(-(2**31), 2**31 - 1)


def _divide_towards_zero(numerator, denominator):
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


def test_high_multiply_smallest_squared_saturates():
    assert high_multiply(-(2**31), -(2**31)) == 2**31 - 1


@given(int32, int32)
def test_high_multiply_any_int32_is_gemmlowps_definition(a, b):
    nudge = 2**30 if a * b >= 0 else 1 - 2**30
    expected = min(_divide_towards_zero(a * b + nudge, 2**31), 2**31 - 1)
    assert high_multiply(a, b) == expected


@given(int32, st.integers(0, 31))
def test_rounding_right_shift_any_int32_rounds_half_away_from_zero(value, bits):
    exact = Fraction(abs(value), 2**bits)
    expected = math.floor(exact + Fraction(1, 2)) * (1 if value >= 0 else -1)
    assert rounding_right_shift(value, bits) == expected


@given(st.floats(2.0**-30, 2.0**20))
def test_quantize_multiplier_any_factor_is_within_half_a_step(real):
    multiplier, shift = (int(part) for part in quantize_multiplier(real))
    assert 2**30 <= multiplier < 2**31
    step = Fraction(2) ** (shift - 31)
    assert abs(multiplier * step - Fraction(real)) <= step / 2


def test_quantize_multiplier_just_below_one_carries_into_the_shift():
    assert [int(v) for v in quantize_multiplier(1 - 2.0**-40)] == [2**30, 1]


def test_quantize_multiplier_tiny_factor_becomes_zero():
    assert [int(v) for v in quantize_multiplier(2.0**-40)] == [0, 0]
    assert [int(v) for v in quantize_multiplier(0.0)] == [0, 0]


@given(st.integers(-(2**24), 2**24), st.floats(2.0**-20, 1.0))
def test_multiply_by_quantized_multiplier_is_within_one_of_the_real_product(x, real):
    found = int(multiply_by_quantized_multiplier(x, *quantize_multiplier(real)))
    assert abs(found - Fraction(x) * Fraction(real)) <= 1


def test_requantize_beyond_the_range_clips_to_int8():
    factor = quantize_multiplier(0.5)
    found = requantize(np.array([-1000, -7, 7, 1000], np.int32), *factor, zero_point=3)
    assert found.dtype == np.int8
    assert found.tolist() == [-128, 0, 7, 127]  # -3.5 and 3.5 go upwards, then + 3


def test_requantize_one_factor_per_channel_applies_to_the_last_axis():
    factors = quantize_multiplier(np.array([1.0, 0.25]))
    found = requantize(np.array([[8, 8], [-8, -8]], np.int32), *factors, 0)
    assert found.tolist() == [[8, 2], [-8, -2]]
