"""Scales: what they promise about overflow and rounding."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal import _kernels
from shoal.data.block import Block
from shoal.exceptions import DataError
from shoal.statistics.fixed_point import MOST_EXPONENT, add_weights, choose_scale, to_float

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


def exact_sum(values, weights=None):
    weights = np.ones(len(values)) if weights is None else weights
    return sum(
        (Fraction(float(v) * float(w)) for v, w in zip(values, weights, strict=True)), Fraction()
    )


def nearest_float(value: Fraction) -> float:
    return value.numerator / value.denominator  # true division of ints rounds correctly


def fixed_sum(values, scale, weights=None):
    sums = np.zeros(scale.limbs, np.int64)
    values = np.asarray(values, np.float64)
    _kernels.sum_values(values, int(scale.exponents), scale.low_bits, sums, weights)
    return sums


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [0, 1, 2**12 - 1, 2**12, 2**40])
@pytest.mark.parametrize("bound", [0.0, 5e-324, 1e-300, 1.0, 1.0 + 2**-52, 2.0, 3.5, 1e300])
def test_sums_at_the_bounds_stay_below_2_to_62(bound, n_rows, dtype):
    scale = choose_scale(bound, n_rows, dtype)
    high = abs(Fraction(bound) * Fraction(2) ** int(scale.exponents))
    assert high <= 2**50
    assert n_rows * high < 2**62
    assert n_rows * 2 ** (scale.low_bits - 1) < 2**62
    assert np.isfinite(2.0 ** float(scale.exponents))


@pytest.mark.parametrize("bound", [1e-300, 1.0, 1e300])
def test_scale_is_the_finest_allowed(bound):
    scale = choose_scale(bound, 100, np.float32)
    high = Fraction(bound) * Fraction(2) ** int(scale.exponents)
    assert high >= 2**49 or scale.exponents == MOST_EXPONENT


@pytest.mark.parametrize("bound", [-1.0, np.nan])
def test_scale_refuses_a_bound_that_is_none(bound):
    with pytest.raises(ValueError, match="bounds must be numbers"):
        choose_scale([1.0, bound], 10, np.float32)


def test_scale_refuses_what_overflows():
    with pytest.raises(DataError, match=r"so large that .* overflow float64"):
        choose_scale([1.0, np.inf], 10, np.float64)


def test_scale_refuses_more_rows_than_int64_can_sum():
    with pytest.raises(ValueError, match="n_rows"):
        choose_scale(1.0, 2**61, np.float32)


@given(st.lists(finite, max_size=40), st.integers(0, 2**33))
def test_two_limbs_keep_the_sum_to_half_a_quantum_a_value(values, more_rows):
    scale = choose_scale(np.abs(values).max(initial=0.0), len(values) + more_rows, np.float64)
    high, low = (int(s) for s in fixed_sum(values, scale))
    quantum = Fraction(2) ** -(int(scale.exponents) + scale.low_bits)
    total = (high * 2**scale.low_bits + low) * quantum
    assert abs(total - exact_sum(values)) <= len(values) * quantum / 2


@given(
    st.integers(-(2**62), 2**62),
    st.integers(-(2**62), 2**62),
    st.integers(-900, 900),
    st.integers(1, 50),
)
def test_to_float_rounds_the_exact_total_once(high, low, exponent, low_bits):
    scale = choose_scale(1.0, 1, np.float64)
    scale = type(scale)(np.array([exponent], np.int32), low_bits, 2)
    exact = (Fraction(high) + Fraction(low, 2**low_bits)) * Fraction(2) ** -exponent
    assert to_float(np.array([[high], [low]]), scale) == [nearest_float(exact)]


@pytest.mark.parametrize(("low", "expected"), [(-1, 2**61), (0, 2**61), (1, 2**61 + 512)])
def test_to_float_knows_a_tie_from_what_is_just_above_it(low, expected):
    """Neighbouring floats are 512 apart here; what decides lies in a limb that has no room."""
    scale = replace(choose_scale(1.0, 1, np.float64), exponents=np.zeros((), np.int32))
    assert to_float(np.array([2**61 + 256, low]), scale) == expected


@given(st.lists(st.floats(-1e6, 1e6, width=32), max_size=30))
def test_one_limb_matches_the_exact_sum_of_the_quanta(values):
    scale = choose_scale(1e6, 1000, np.float32)
    quantum = Fraction(2) ** -int(scale.exponents)
    exact = sum((round(Fraction(v) / quantum) * quantum for v in values), Fraction())
    assert to_float(fixed_sum(values, scale), scale) == nearest_float(exact)


@pytest.mark.parametrize("value", [0.0, 2.0**-1022, 1e-300, 1.0, 1e300, -1e300])
def test_single_value_returns_as_it_went_in(value):
    scale = choose_scale(abs(value), 1, np.float64)
    assert to_float(fixed_sum([value], scale), scale) == value


@pytest.mark.parametrize("value", [5e-324, 1e-310, 1e-307])
def test_subnormal_column_is_kept_to_half_the_finest_quantum(value):
    scale = choose_scale(value, 1, np.float64)
    assert scale.exponents == MOST_EXPONENT
    high, low = (int(s) for s in fixed_sum([value], scale))
    kept = Fraction(high * 2**scale.low_bits + low, 2 ** (MOST_EXPONENT + scale.low_bits))
    assert abs(kept - Fraction(value)) <= Fraction(1, 2 ** (MOST_EXPONENT + scale.low_bits + 1))


def test_columns_keep_their_own_scale():
    scale = choose_scale([0.0, 1.0, 1e300], 10, np.float64)
    sums = np.zeros((2, 3), np.int64)
    X = np.array([[0.0, 1.0, 1e300], [0.0, -0.25, 5e299]])
    _kernels.column_moments(
        X,
        np.zeros(3),
        scale.exponents,
        np.zeros(3, np.int32) - 1022,
        sums,
        sums.copy(),
        low_bits=scale.low_bits,
    )
    np.testing.assert_array_equal(to_float(sums, scale), X.sum(axis=0))


@pytest.mark.parametrize("largest", [1.0, 0.3, 7.0])
def test_rows_without_weights_weigh_what_ones_do(largest):
    scale = choose_scale(largest, 1000, np.float64)
    rows = Block(np.zeros((137, 1)), 0, np.zeros(1), np.zeros(1))
    ones = replace(rows, sample_weight=np.ones(137))
    found = np.zeros((2, 2), np.int64)
    add_weights(found[0], rows, scale)
    add_weights(found[1], ones, scale)
    np.testing.assert_array_equal(*found)
    assert to_float(found[0], scale) == 137
