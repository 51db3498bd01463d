"""Column scans: ranges, exact moments and exact sums, for any strides and dtype."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal import _kernels

DTYPES = [np.float32, np.float64]
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "reversed Fortran": lambda X: np.asfortranarray(X[::-1, ::-1])[::-1, ::-1],
    "wider": lambda X: np.hstack([X, X])[:, : X.shape[1]],
    "read-only": lambda X: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
}
SHAPES = [(1, 1), (5, 1), (1000, 1), (7, 3), (300, 3), (1030, 16), (63, 17), (5, 64), (90, 130)]

layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
shapes = pytest.mark.parametrize("shape", SHAPES)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def normal(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def empty_range(columns):
    return np.full(columns, np.inf), np.full(columns, -np.inf)


@dtypes
@shapes
@layouts
def test_range_is_the_extremes(layout, shape, dtype):
    X = normal(shape, dtype)
    minimum, maximum = empty_range(shape[1])
    assert _kernels.column_range(layout(X), minimum, maximum) == -1
    np.testing.assert_array_equal(minimum, X.min(axis=0))
    np.testing.assert_array_equal(maximum, X.max(axis=0))


@dtypes
@shapes
@layouts
def test_range_names_the_first_value_that_is_not_finite_and_changes_nothing(layout, shape, dtype):
    rng = np.random.default_rng(1)
    for bad in (np.nan, np.inf, -np.inf):
        X = normal(shape, dtype)
        positions = rng.integers(0, X.size, 2)
        X.flat[positions] = bad
        minimum, maximum = empty_range(shape[1])
        assert _kernels.column_range(layout(X), minimum, maximum) == positions.min()
        assert np.all(minimum == np.inf)
        assert np.all(maximum == -np.inf)


def test_range_keeps_what_it_was_given():
    minimum, maximum = np.array([-5.0, 1.0]), np.array([0.0, 9.0])
    assert _kernels.column_range(np.array([[-1.0, 0.0], [3.0, 2.0]]), minimum, maximum) == -1
    np.testing.assert_array_equal([minimum, maximum], [[-5.0, 0.0], [3.0, 9.0]])


@dtypes
@pytest.mark.parametrize("order", [(0.0, -0.0), (-0.0, 0.0)])
def test_range_has_one_zero(order, dtype):
    for n in (1, 100):
        X = np.array([[v] * 20 for v in order] * n, dtype)
        minimum, maximum = empty_range(20)
        _kernels.column_range(X, minimum, maximum)
        assert not np.signbit([minimum, maximum]).any()


def test_range_of_no_rows_is_unchanged():
    minimum, maximum = empty_range(3)
    assert _kernels.column_range(np.empty((0, 3)), minimum, maximum) == -1
    assert np.all(minimum == np.inf)


@dtypes
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_csr_range_names_the_first_value_that_is_not_finite(bad, dtype):
    data, indices = np.ones(5000, dtype), np.zeros(5000, np.int32)
    data[[3777, 4999]] = bad
    minimum, maximum = empty_range(1)
    assert _kernels.column_range_csr(data, indices, minimum, maximum, np.zeros(1, np.int64)) == 3777
    assert minimum[0] == np.inf


@dtypes
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_csr_range_counts_stored_values(index, dtype):
    X = scipy.sparse.random(200, 9, 0.2, "csr", dtype, rng=3)
    X.data -= dtype(0.5)
    minimum, maximum = empty_range(9)
    counts = np.zeros(9, np.int64)
    indices = X.indices.astype(index)
    assert _kernels.column_range_csr(X.data, indices, minimum, maximum, counts) == -1
    stored = X.toarray().astype(np.float64)
    stored[stored == 0] = np.nan
    np.testing.assert_array_equal(minimum, np.nanmin(stored, axis=0))
    np.testing.assert_array_equal(maximum, np.nanmax(stored, axis=0))
    np.testing.assert_array_equal(counts, np.isfinite(stored).sum(axis=0))
    X.data[[17, 5]] = np.nan
    before = counts.copy()
    assert _kernels.column_range_csr(X.data, indices, minimum, maximum, counts) == 5
    np.testing.assert_array_equal(counts, before)


def quanta(values, exponent, low_bits, limbs):
    """The limbs of each value, in exact arithmetic."""
    rows = []
    for v in np.asarray(values, np.float64).ravel():
        t = Fraction(float(v)) * Fraction(2) ** exponent
        high = round(t)
        rows.append([high, round((t - high) * 2**low_bits)][:limbs])
    return np.array(rows, np.int64).reshape(*np.shape(values), limbs)


def moments(X, shift, limbs, weights=None, native=_kernels):
    d = X.shape[1]
    sums, squares = np.zeros((limbs, d), np.int64), np.zeros((limbs, d), np.int64)
    exponents = np.arange(d, dtype=np.int32) % 5 + 30
    native.column_moments(X, shift, exponents, exponents - 3, sums, squares, weights, 33)
    return sums, squares


@dtypes
@pytest.mark.parametrize("limbs", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_are_the_sums_of_the_quanta(weighted, limbs, dtype):
    X, shift = normal((37, 7), dtype), normal(7, np.float64, 1)
    weights = np.random.default_rng(2).random(37) if weighted else None
    w = np.ones(37) if weights is None else weights
    sums, squares = moments(X, shift, limbs, weights)
    values = X.astype(np.float64) - shift
    for j in range(7):
        linear = quanta(values[:, j] * w, j % 5 + 30, 33, limbs)
        square = quanta(values[:, j] * values[:, j] * w, j % 5 + 27, 33, limbs)
        np.testing.assert_array_equal(sums[:, j], linear.sum(axis=0))
        np.testing.assert_array_equal(squares[:, j], square.sum(axis=0))


@dtypes
@shapes
@layouts
def test_moments_depend_on_neither_layout_order_nor_instruction_set(layout, shape, dtype):
    X, shift = normal(shape, dtype), normal(shape[1], np.float64, 1)
    weights = np.random.default_rng(2).random(shape[0])
    order = np.random.default_rng(3).permutation(shape[0])
    expected = moments(X, shift, 2, weights, _kernels.load("generic"))
    for name in _kernels.available_instruction_sets():
        native = _kernels.load(name)
        found = moments(layout(X[order]), shift, 2, weights[order], native)
        np.testing.assert_array_equal(found, expected)


@dtypes
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_csr_moments_are_the_dense_ones(index, dtype):
    X = scipy.sparse.random(200, 9, 0.2, "csr", dtype, rng=3)
    weights = np.random.default_rng(2).random(200)
    expected = moments(X.toarray(), np.zeros(9), 2, weights)
    sums, squares = np.zeros((2, 9), np.int64), np.zeros((2, 9), np.int64)
    exponents = np.arange(9, dtype=np.int32) % 5 + 30
    _kernels.column_moments_csr(
        X.data,
        X.indices.astype(index),
        X.indptr.astype(index),
        exponents,
        exponents - 3,
        sums,
        squares,
        weights,
        33,
    )
    np.testing.assert_array_equal([sums, squares], expected)


def sum_values(values, weights=None, native=_kernels, limbs=2):
    sums = np.zeros(limbs, np.int64)
    native.sum_values(values, 30, 40, sums, weights)
    return sums


@settings(max_examples=50)
@given(st.lists(st.floats(-1e5, 1e5), max_size=40), st.integers(0, 40))
def test_sum_values_splits_and_merges(values, at):
    values = np.array(values, np.float64)
    weights = np.linspace(0.1, 1, len(values))
    whole = sum_values(values, weights)
    np.testing.assert_array_equal(
        whole, sum_values(values[:at], weights[:at]) + sum_values(values[at:], weights[at:])
    )
    np.testing.assert_array_equal(
        whole, sum_values(values[::-1].copy(), weights[::-1].copy(), _kernels.load("generic"))
    )
    np.testing.assert_array_equal(whole, quanta(values * weights, 30, 40, 2).sum(axis=0))


@pytest.mark.parametrize("limbs", [1, 2])
def test_sum_values_adds_into_what_is_there(limbs):
    sums = np.full(limbs, 5, np.int64)
    _kernels.sum_values(np.array([1.0, 2.0]), 10, 8, sums)
    np.testing.assert_array_equal(sums, [5 + 3 * 1024, 5][:limbs])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"X": np.zeros((3, 2), np.int32)}, TypeError, "incompatible"),
        ({"X": np.zeros(3)}, TypeError, "incompatible"),
        ({"X": np.zeros((3, 0))}, ValueError, "no columns"),
        ({"shift": np.zeros(3)}, ValueError, "shift has length 3, expected 2"),
        ({"exponents": np.zeros(2, np.int64)}, TypeError, "incompatible"),
        ({"exponents": np.full(2, 1024, np.int32)}, ValueError, r"exponents must lie in \[-1022"),
        ({"exponents": np.full(2, -1023, np.int32)}, ValueError, r"exponents must lie in \[-1022"),
        ({"square_exponents": np.zeros(1, np.int32)}, ValueError, "square_exponents has length 1"),
        ({"sums": np.zeros((3, 2), np.int64)}, ValueError, "sums must have 1 or 2 limbs"),
        ({"squares": np.zeros((2, 2), np.int64)}, ValueError, "differ in shape"),
        ({"squares": np.zeros((2, 2), np.int64).T}, TypeError, "incompatible"),
        ({"weights": np.zeros(4)}, ValueError, "weights has length 4, expected 3"),
        ({"low_bits": 51}, ValueError, "low_bits must lie in"),
    ],
)
def test_moments_refuse_what_does_not_fit(change, error, message):
    arguments = {
        "X": np.zeros((3, 2)),
        "shift": np.zeros(2),
        "exponents": np.zeros(2, np.int32),
        "square_exponents": np.zeros(2, np.int32),
        "sums": np.zeros((1, 2), np.int64),
        "squares": np.zeros((1, 2), np.int64),
        "weights": np.ones(3),
        "low_bits": 0,
    }
    _kernels.column_moments(**arguments)
    with pytest.raises(error, match=message):
        _kernels.column_moments(**arguments | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices": np.array([0, 2], np.int32)}, r"indices must lie in \[0, 2\)"),
        ({"indices": np.array([0, -1], np.int32)}, r"indices must lie in \[0, 2\)"),
        ({"indices": np.array([0], np.int32)}, "indices has length 1, expected 2"),
        ({"indptr": np.array([0, 1, 3], np.int32)}, r"indptr must lie in \[0, 3\)"),
        ({"indptr": np.array([-1, 1, 2], np.int32)}, r"indptr must lie in \[0, 3\)"),
        ({"indptr": np.array([0, 2, 1], np.int32)}, "must not decrease"),
        ({"indptr": np.array([], np.int32)}, "indptr is empty"),
    ],
)
def test_csr_moments_refuse_a_broken_matrix(change, message):
    arguments = {
        "data": np.ones(2),
        "indices": np.array([0, 1], np.int32),
        "indptr": np.array([0, 1, 2], np.int32),
        "exponents": np.zeros(2, np.int32),
        "square_exponents": np.zeros(2, np.int32),
        "sums": np.zeros((1, 2), np.int64),
        "squares": np.zeros((1, 2), np.int64),
    }
    _kernels.column_moments_csr(**arguments)
    with pytest.raises(ValueError, match=message):
        _kernels.column_moments_csr(**arguments | change)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize(
    ("indices", "indptr"),
    [
        ([0, 2, 0, 1, 2], [1, 2, 5]),
        ([0, 2, 0, 1, 2], [0, 2, 4]),
        ([0, 2, 0, 1, 2], [0, 2, 6]),
        ([0, 2, 0, 1, 2], [0, 6, 5]),
        ([0, 2, 0, 1, 3], [0, 2, 5]),
        ([-1, 2, 0, 1, 2], [0, 2, 5]),
        ([0, 2, 0, 2, 1], [0, 2, 5]),
        ([0, 2, 0, 2, 2], [0, 2, 5]),
    ],
)
def test_rows_that_are_not_canonical(indices, indptr, index, kernels):
    found = kernels.has_canonical_rows(np.array(indices, index), np.array(indptr, index), 3)
    assert not found


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_canonical_rows(index, kernels):
    X = scipy.sparse.random(300, 70, 0.2, "csr", rng=3)
    X = scipy.sparse.vstack([X, scipy.sparse.csr_array((50, 70)), X], "csr")
    indices, indptr = X.indices.astype(index), X.indptr.astype(index)
    assert kernels.has_canonical_rows(indices, indptr, 70)
    assert not kernels.has_canonical_rows(indices, indptr, indices.max())
    assert kernels.has_canonical_rows(indices[:0], indptr[:1], 70)
    assert kernels.has_canonical_rows(indices[:0], np.zeros(4, index), 70)
