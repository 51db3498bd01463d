"""Sums of rows for each cluster: exact, free of order, and taken away as they were added."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal import _kernels
from shoal.statistics.fixed_point import choose_scale, to_float

DTYPES = [np.float32, np.float64]
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "reversed Fortran": lambda X: np.asfortranarray(X[::-1, ::-1])[::-1, ::-1],
}
SHAPES = [(1, 1), (700, 1), (300, 3), (530, 16), (63, 17), (90, 130)]
CLUSTERS = 5

layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
shapes = pytest.mark.parametrize("shape", SHAPES)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


@dataclass(eq=False)
class Sums:
    """Sums of rows under one scale, whatever adds to them."""

    shift: np.ndarray
    limbs: int
    native: object = _kernels
    exponent: int = 40
    low_bits: int = 40
    sums: np.ndarray = field(init=False)

    def __post_init__(self):
        d = len(self.shift)
        self.exponents = (np.arange(d) % 3 + self.exponent).astype(np.int32)
        self.sums = np.zeros((self.limbs, CLUSTERS, d), np.int64)
        self.counts = np.zeros(CLUSTERS, np.int64)
        self.weight_sums = np.zeros((2, CLUSTERS), np.int64)

    def options(self, weights):
        if weights is None:
            return {"low_bits": self.low_bits}
        return {
            "weights": weights,
            "weight_exponent": 45,
            "weight_sums": self.weight_sums,
            "low_bits": self.low_bits,
        }

    def add(self, X, labels, weights=None):
        self.move(X, np.full(len(labels), -1, np.int32), labels, weights)
        return self

    def move(self, X, old, new, weights=None):
        return self.native.sum_moved_rows(
            X,
            self.shift,
            old,
            new,
            self.exponents,
            self.sums,
            self.counts,
            **self.options(weights),
        )

    def add_csr(self, X, labels, weights=None):
        self.move_csr(X, np.full(len(labels), -1, np.int32), labels, weights)
        return self

    def move_csr(self, X, old, new, weights=None):
        return self.native.sum_moved_rows_csr(
            X.data,
            X.indices,
            X.indptr,
            old,
            new,
            self.exponents,
            self.sums,
            self.counts,
            **self.options(weights),
        )

    __hash__ = None

    def __eq__(self, other):
        return all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("sums", "counts", "weight_sums")
        )


def problem(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape).astype(dtype)
    labels = rng.integers(0, CLUSTERS, shape[0]).astype(np.int32)
    return X, labels, rng.random(shape[0]), rng.standard_normal(shape[1])


def limbs_of(value, exponent, low_bits):
    t = Fraction(float(value)) * Fraction(2) ** int(exponent)
    high = round(t)
    return high, round((t - high) * 2**low_bits)


@dtypes
@pytest.mark.parametrize("limbs", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_are_those_of_the_quanta(weighted, limbs, dtype):
    X, labels, weights, shift = problem((40, 7), dtype)
    weights = weights if weighted else None
    found = Sums(shift, limbs).add(X, labels, weights)
    expected = Sums(shift, limbs)
    for i, label in enumerate(labels):
        weight = 1.0 if weights is None else weights[i]
        expected.counts[label] += 1
        if weighted:
            expected.weight_sums[:, label] += limbs_of(weight, 45, 40)
        for j in range(7):
            value = (np.float64(X[i, j]) - shift[j]) * weight
            both = limbs_of(value, expected.exponents[j], 40)
            expected.sums[:, label, j] += both[:limbs]
    assert found == expected


@dtypes
@shapes
@layouts
@pytest.mark.parametrize("limbs", [1, 2])
def test_sums_depend_on_neither_layout_order_split_nor_instruction_set(limbs, layout, shape, dtype):
    X, labels, weights, shift = problem(shape, dtype)
    order = np.random.default_rng(1).permutation(shape[0])
    cut = shape[0] // 3
    for w in (None, weights):
        expected = Sums(shift, limbs, _kernels.load("generic")).add(X, labels, w)
        for name in _kernels.available_instruction_sets():
            found = Sums(shift, limbs, _kernels.load(name))
            for part in (order[:cut], order[cut:]):
                found.add(layout(X[part]), labels[part], w if w is None else w[part])
            assert found == expected
            assert Sums(shift, limbs, _kernels.load(name)).add(layout(X), labels, w) == expected


@dtypes
@shapes
@layouts
@pytest.mark.parametrize("limbs", [1, 2])
def test_moved_rows_leave_what_a_fresh_sum_gives(limbs, layout, shape, dtype):
    X, old, weights, shift = problem(shape, dtype)
    rng = np.random.default_rng(1)
    for moving in (0.0, 0.02, 0.9):
        new = np.where(rng.random(len(old)) < moving, (old + 1) % CLUSTERS, old).astype(np.int32)
        for w in (None, weights):
            expected = Sums(shift, limbs, _kernels.load("generic")).add(X, new, w)
            for name in _kernels.available_instruction_sets():
                found = Sums(shift, limbs, _kernels.load(name)).add(X, old, w)
                assert found.move(layout(X), old, new, w) == np.count_nonzero(old != new)
                assert found == expected


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.floats(-1e30, 1e30), st.integers(0, CLUSTERS - 1), st.integers(0, CLUSTERS - 1)
        ),
        min_size=1,
        max_size=50,
    ),
    st.sampled_from([1, 2]),
)
def test_moving_there_and_back_is_nothing(rows, limbs):
    values, there, back = (np.array(column) for column in zip(*rows, strict=True))
    X, there, back = values[:, None], there.astype(np.int32), back.astype(np.int32)
    sums = Sums(np.array([3.0]), limbs, exponent=-55).add(X, there, np.ones(len(X)))
    expected = Sums(np.array([3.0]), limbs, exponent=-55).add(X, there, np.ones(len(X)))
    sums.move(X, there, back, np.ones(len(X)))
    sums.move(X, back, there, np.ones(len(X)))
    assert sums == expected


@dtypes
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("limbs", [1, 2])
def test_csr_sums_are_the_dense_ones(limbs, index, dtype):
    X = scipy.sparse.random(300, 9, 0.2, "csr", dtype, rng=3)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    _, labels, weights, _ = problem((300, 9), dtype)
    new = (labels + (np.arange(300) % 9 == 0)).astype(np.int32) % np.int32(CLUSTERS)
    for w in (None, weights):
        dense, csr = Sums(np.zeros(9), limbs), Sums(np.zeros(9), limbs)
        assert dense.add(X.toarray(), labels, w) == csr.add_csr(X, labels, w)
        assert dense.move(X.toarray(), labels, new, w) == csr.move_csr(X, labels, new, w)
        assert dense == csr


def test_csr_rows_may_be_a_window_of_a_larger_matrix():
    X = scipy.sparse.random(300, 9, 0.2, "csr", rng=3)
    labels = problem((300, 9), np.float64)[1][100:150]
    window = scipy.sparse.csr_matrix(X.shape)
    window.data, window.indices, window.indptr = X.data, X.indices, X.indptr[100:151]
    found = Sums(np.zeros(9), 2).add_csr(window, labels)
    assert found == Sums(np.zeros(9), 2).add(X[100:150].toarray(), labels)


@dtypes
def test_sums_under_a_chosen_scale_recover_the_exact_means(dtype):
    X, labels, _, shift = problem((2000, 4), dtype)
    values = X.astype(np.float64) - shift
    scale = choose_scale(np.abs(values).max(axis=0), len(X), dtype)
    sums, counts = np.zeros((scale.limbs, CLUSTERS, 4), np.int64), np.zeros(CLUSTERS, np.int64)
    nowhere = np.full(len(X), -1, np.int32)
    _kernels.sum_moved_rows(
        X, shift, nowhere, labels, scale.exponents, sums, counts, low_bits=scale.low_bits
    )
    found = to_float(sums, scale)
    assert np.array_equal(counts, np.bincount(labels))
    for c in range(CLUSTERS):
        for j in range(4):
            exact = sum(map(Fraction, values[labels == c, j].tolist()), Fraction())
            quantum = 2.0 ** -float(scale.exponents[j] + (scale.limbs - 1) * scale.low_bits)
            bound = counts[c] * quantum / 2 + np.spacing(abs(float(exact))) / 2
            assert abs(Fraction(found[c, j]) - exact) <= Fraction(bound)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": np.array([0, 5, 1], np.int32)}, ValueError, r"labels must lie in \[0, 5\)"),
        ({"labels": np.array([0, -1, 1], np.int32)}, ValueError, r"labels must lie in \[0, 5\)"),
        ({"labels": np.array([0, 1], np.int32)}, ValueError, "labels has length 2, expected 3"),
        ({"labels": np.array([0, 1, 1])}, TypeError, "incompatible"),
        ({"old_labels": np.array([0, -2, 0], np.int32)}, ValueError, r"must lie in \[-1, 5\)"),
        ({"old_labels": np.array([0, 5, 0], np.int32)}, ValueError, r"must lie in \[-1, 5\)"),
        ({"old_labels": np.array([0], np.int32)}, ValueError, "old_labels has length 1"),
        ({"counts": np.zeros(4, np.int64)}, ValueError, "counts has length 4, expected 5"),
        ({"sums": np.zeros((1, 5, 3), np.int64)}, ValueError, "differ in columns"),
        ({"weights": None}, ValueError, "weights and weight_sums go together"),
        ({"weight_sums": np.zeros((1, 4), np.int64)}, ValueError, "differ in clusters"),
        ({"weight_exponent": 2000}, ValueError, "weight_exponent must lie in"),
    ],
)
def test_sums_refuse_what_does_not_fit_and_add_nothing(change, error, message):
    arguments = {
        "X": np.ones((3, 2)),
        "shift": np.zeros(2),
        "exponents": np.zeros(2, np.int32),
        "old_labels": np.full(3, -1, np.int32),
        "labels": np.array([0, 4, 1], np.int32),
        "sums": np.zeros((1, 5, 2), np.int64),
        "counts": np.zeros(5, np.int64),
        "weights": np.ones(3),
        "weight_sums": np.zeros((1, 5), np.int64),
    }
    with pytest.raises(error, match=message):
        _kernels.sum_moved_rows(**arguments | change)
    assert not arguments["sums"].any()
    _kernels.sum_moved_rows(**arguments)
    np.testing.assert_array_equal(arguments["counts"], [1, 1, 0, 0, 1])


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 200),
    some=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    at=st.integers(0, 199),
    seed=st.integers(0, 2**32 - 1),
    instruction_set=st.sampled_from(_kernels.available_instruction_sets()),
)
def test_rows_whose_label_is_new_move_wherever_they_lie(n, some, at, seed, instruction_set):
    X, old, _, shift = problem((n, 3), np.float32, seed)
    moves = np.random.default_rng(seed).random(n) < some
    moves[at % n] = True
    new = np.where(moves, (old + 1) % CLUSTERS, old).astype(np.int32)
    found = Sums(shift, 1, _kernels.load(instruction_set)).add(X, old)
    assert found.move(X, old, new) == np.count_nonzero(moves)
    assert found == Sums(shift, 1).add(X, new)
