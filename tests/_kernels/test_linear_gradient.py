"""The fused pass: sums of quanta in exact arithmetic, in any layout, order and build."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from tests._kernels.test_linear import LAYOUTS, predict, problem

from shoal import _kernels

DTYPES = [np.float32, np.float64]
SHAPES = [(1, 1), (700, 1), (37, 8), (150, 64), (63, 17), (40, 130)]
GRADIENT_EXPONENT, VALUE_EXPONENT, LOW_BITS = 30, 28, 35
LOSSES = {"half_binomial": (1, 0.0), "huber": (3, 0.5), "half_multinomial": (3, 0.0)}

layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
shapes = pytest.mark.parametrize("shape", SHAPES)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
losses = pytest.mark.parametrize("loss", LOSSES)
all_limbs = pytest.mark.parametrize("limbs", [1, 2])


@dataclass(eq=False)
class Sums:
    """What a pass adds to."""

    limbs: int
    n_outputs: int
    n_features: int
    sums: np.ndarray = field(init=False)

    def __post_init__(self):
        self.sums = np.zeros((self.limbs, self.n_outputs, self.n_features), np.int64)
        self.intercept_sums = np.zeros((self.limbs, self.n_outputs), np.int64)
        self.value_sums = np.zeros(2, np.int64)
        self.largest = np.zeros(2)

    @property
    def exponents(self):
        return (np.arange(self.n_features) % 5 - 2).astype(np.int32)

    def add(self, X, coef, intercept, loss, target, weights=None, shift=None, native=_kernels):
        arguments = {
            "exponents": self.exponents,
            "coef": coef,
            "intercept": intercept,
            "loss": loss,
            "parameter": LOSSES[loss][1],
            "target": target,
            "weights": weights,
            "gradient_exponent": GRADIENT_EXPONENT,
            "value_exponent": VALUE_EXPONENT,
            "low_bits": LOW_BITS,
            "sums": self.sums,
            "intercept_sums": self.intercept_sums,
            "value_sums": self.value_sums,
            "largest": self.largest,
        }
        if scipy.sparse.issparse(X):
            native.linear_gradient_csr(X.data, X.indices, X.indptr, **arguments)
        else:
            native.linear_gradient(X, shift=shift, **arguments)
        return self

    __hash__ = None

    def __eq__(self, other):
        names = ("sums", "intercept_sums", "value_sums", "largest")
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)


def case(loss, shape, dtype):
    """Rows, a model, targets and weights, a tenth of them 0."""
    X, coef, intercept, shift = problem(shape, dtype, LOSSES[loss][0])
    generator = np.random.default_rng(1)
    target = {
        "half_binomial": generator.integers(0, 2, (shape[0], 1)),
        "huber": generator.normal(size=(shape[0], 3)),
        "half_multinomial": generator.integers(0, 3, (shape[0], 1)),
    }[loss].astype(np.float64)
    weights = np.where(generator.random(shape[0]) < 0.1, 0, generator.random(shape[0]) * 2)
    return X, 0.1 * coef, intercept, target, weights, shift


def terms(loss, target, raw):
    """Values (n, outputs) and gradients (n, outputs)."""
    n, k = raw.shape
    if loss == "half_multinomial":
        parts = np.empty(n), np.empty((n, k)), np.empty((n, k))
        _kernels.loss_terms(loss, 0.0, np.ascontiguousarray(target[:, 0]), raw, *parts)
        return parts[0][:, None], parts[1]
    flat = np.ascontiguousarray(np.broadcast_to(target, raw.shape)).ravel()
    parts = np.empty(n * k), np.empty((n * k, 1)), np.empty((n * k, 1))
    _kernels.loss_terms(loss, LOSSES[loss][1], flat, raw.reshape(-1, 1), *parts)
    return parts[0].reshape(n, k), parts[1].reshape(n, k)


def quanta(values, exponent, limbs):
    """Sum over the values of their limbs, in exact arithmetic; float64 values."""
    total = [0] * limbs
    for v in values:
        t = Fraction(v) * Fraction(2) ** int(exponent)
        high = round(t)
        total[0] += high
        if limbs == 2:
            total[1] += round((t - high) * 2**LOW_BITS)
    return total


@dtypes
@losses
@all_limbs
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
def test_sums_are_those_of_the_quanta(shifted, weighted, limbs, loss, dtype):
    X, coef, intercept, target, weights, shift = case(loss, (37, 11), dtype)
    m = shift if shifted else None
    w = weights if weighted else np.ones(37)
    found = Sums(limbs, *coef.shape).add(
        X, coef, intercept, loss, target, weights if weighted else None, m
    )
    value, gradient = terms(loss, target, predict(X, coef, intercept, m))
    value, gradient = w[:, None] * value, w[:, None] * gradient
    z = X.astype(np.float64) - (shift if shifted else 0)
    for k in range(len(coef)):
        g = gradient[:, k]
        assert found.intercept_sums[:, k].tolist() == quanta(g, GRADIENT_EXPONENT, limbs)
        for j in range(11):
            # One limb rounds the exact product; two split the product rounded to float64.
            product = [Fraction(a) * Fraction(b) for a, b in zip(g, z[:, j], strict=True)]
            if limbs == 2:
                product = list(map(float, product))
            expected = quanta(product, GRADIENT_EXPONENT + found.exponents[j], limbs)
            assert found.sums[:, k, j].tolist() == expected
    assert found.value_sums.tolist() == quanta(value.ravel(), VALUE_EXPONENT, 2)
    assert found.largest.tolist() == [np.abs(gradient).max(), np.abs(value).max()]


@dtypes
@losses
@shapes
@layouts
def test_depends_on_neither_layout_order_nor_instruction_set(layout, shape, loss, dtype):
    X, coef, intercept, target, weights, shift = case(loss, shape, dtype)
    cut = len(X) // 3
    for limbs, m in ((1, None), (2, shift)):
        generic = _kernels.load("generic")
        expected = Sums(limbs, *coef.shape)
        expected.add(X, coef, intercept, loss, target, weights, m, generic)
        for name in _kernels.available_instruction_sets():
            found = Sums(limbs, *coef.shape)
            for rows in (slice(cut, None), slice(0, cut)):
                part = (np.ascontiguousarray(target[rows]), weights[rows], m, _kernels.load(name))
                found.add(layout(X)[rows], coef, intercept, loss, *part)
            assert found == expected


@dtypes
@losses
@all_limbs
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_sums_are_the_dense_ones(index, limbs, loss, dtype):
    _, coef, intercept, target, weights, _ = case(loss, (600, 29), dtype)
    X = scipy.sparse.random(600, 29, 0.2, "csr", dtype, rng=3)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    for w in (None, weights):
        dense = Sums(limbs, *coef.shape).add(X.toarray(), coef, intercept, loss, target, w)
        for name in _kernels.available_instruction_sets():
            sparse = Sums(limbs, *coef.shape)
            sparse.add(X, coef, intercept, loss, target, w, native=_kernels.load(name))
            assert sparse == dense


def test_a_row_of_no_weight_adds_nothing_whatever_it_holds():
    X, coef, intercept, target, weights, _ = case("half_binomial", (50, 5), np.float64)
    weights[7] = 0
    expected = Sums(2, 1, 5).add(X, coef, intercept, "half_binomial", target, weights)
    X[7] = 1e300
    assert Sums(2, 1, 5).add(X, coef, intercept, "half_binomial", target, weights) == expected


@losses
def test_a_prediction_that_is_no_number_shows_in_the_largest(loss):
    X, coef, intercept, target, _, _ = case(loss, (50, 5), np.float64)
    X[3, 0] = np.nan
    found = Sums(2, *coef.shape).add(X, coef, intercept, loss, target)
    assert found.largest.max() == np.inf
    assert not np.isnan(found.largest).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "nothing"}, "there is no loss called nothing"),
        ({"target": np.zeros((3, 1))}, r"target has shape \(3, 1\), expected \(4, 1\)"),
        ({"target": np.zeros((4, 2))}, "target has neither one column nor that of coef"),
        ({"weights": np.ones(3)}, "weights has length 3, expected 4"),
        ({"sums": np.zeros((3, 1, 2), np.int64)}, "sums must have 1 or 2 limbs"),
        ({"sums": np.zeros((1, 1, 3), np.int64)}, "sums and coef differ in shape"),
        ({"intercept_sums": np.zeros((2, 1), np.int64)}, "intercept_sums has shape"),
        ({"value_sums": np.zeros(1, np.int64)}, "value_sums has length 1, expected 2"),
        ({"largest": np.zeros(1)}, "largest has length 1, expected 2"),
        ({"exponents": np.zeros(3, np.int32)}, "exponents has length 3, expected 2"),
        ({"exponents": np.full(2, 901, np.int32)}, r"exponents must lie in \[-900, 901\)"),
        ({"gradient_exponent": 1024}, "gradient_exponent must lie in"),
        ({"low_bits": 51}, "low_bits must lie in"),
    ],
)
def test_what_does_not_fit_is_refused_and_adds_nothing(change, message):
    arguments = {
        "X": np.ones((4, 2)),
        "exponents": np.zeros(2, np.int32),
        "coef": np.ones((1, 2)),
        "intercept": np.zeros(1),
        "loss": "half_squared_error",
        "parameter": 0.0,
        "target": np.zeros((4, 1)),
        "weights": None,
        "gradient_exponent": 30,
        "value_exponent": 30,
        "low_bits": 40,
        "sums": np.zeros((1, 1, 2), np.int64),
        "intercept_sums": np.zeros((1, 1), np.int64),
        "value_sums": np.zeros(2, np.int64),
        "largest": np.zeros(2),
    }
    with pytest.raises(ValueError, match=message):
        _kernels.linear_gradient(**arguments | change)
    assert not arguments["sums"].any()
    _kernels.linear_gradient(**arguments)
    assert arguments["sums"].tolist() == [[[8 * 2**30, 8 * 2**30]]]
