"""Raw predictions: near exact arithmetic, and the same bits in any layout and build."""

import numpy as np
import pytest
import scipy.sparse

from shoal import _kernels

DTYPES = [np.float32, np.float64]
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "reversed Fortran": lambda X: np.asfortranarray(X[::-1, ::-1])[::-1, ::-1],
}
SHAPES = [(1, 1), (5, 1), (300, 3), (37, 8), (130, 64), (63, 17), (90, 130), (9, 700)]

layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
shapes = pytest.mark.parametrize("shape", SHAPES)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def problem(shape, dtype, n_outputs=3):
    generator = np.random.default_rng(0)
    X = generator.normal(2, 1, shape).astype(dtype)
    coef, intercept = generator.normal(size=(n_outputs, shape[1])), generator.normal(size=n_outputs)
    return X, coef, intercept, generator.normal(2, 1, shape[1])


def predict(X, coef, intercept, shift=None, native=_kernels):
    out = np.full((X.shape[0], len(coef)), np.nan)
    if scipy.sparse.issparse(X):
        native.linear_predict_csr(X.data, X.indices, X.indptr, coef, intercept, out)
    else:
        native.linear_predict(X, coef, intercept, out, shift)
    return out


@dtypes
@shapes
@pytest.mark.parametrize("shifted", [False, True])
def test_is_the_affine_function(shifted, shape, dtype):
    X, coef, intercept, shift = problem(shape, dtype)
    z = X.astype(np.longdouble) - (shift if shifted else 0)
    exact = z @ coef.T + intercept
    size = np.abs(z) @ np.abs(coef).T + np.abs(intercept)
    found = predict(X, coef, intercept, shift if shifted else None)
    assert (np.abs(found - exact) <= 1e-15 * size).all()


@dtypes
@shapes
@layouts
def test_depends_on_neither_layout_rows_nor_instruction_set(layout, shape, dtype):
    X, coef, intercept, shift = problem(shape, dtype)
    for m in (None, shift):
        expected = predict(X, coef, intercept, m, _kernels.load("generic"))
        for name in _kernels.available_instruction_sets():
            found = predict(layout(X), coef, intercept, m, _kernels.load(name))
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(predict(X[1:], coef, intercept, m), expected[1:])
        np.testing.assert_array_equal(predict(X, coef[1:], intercept[1:], m), expected[:, 1:])


@dtypes
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_rows_have_the_bits_of_dense_ones(index, dtype):
    X = scipy.sparse.random(600, 29, 0.2, "csr", dtype, rng=3)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    _, coef, intercept, _ = problem((1, 29), dtype)
    expected = predict(X.toarray(), coef, intercept)
    for name in _kernels.available_instruction_sets():
        found = predict(X, coef, intercept, native=_kernels.load(name))
        np.testing.assert_array_equal(found, expected)


def test_no_rows_are_predicted():
    assert predict(np.empty((0, 3)), np.ones((1, 3)), np.zeros(1)).shape == (0, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coef": np.ones((1, 3))}, r"coef has shape \(1, 3\), expected \(1, 2\)"),
        ({"coef": np.ones((0, 2)), "intercept": np.zeros(0)}, "coef has no rows"),
        ({"intercept": np.zeros(2)}, "intercept has length 2, expected 1"),
        ({"shift": np.zeros(3)}, "shift has length 3, expected 2"),
        ({"out": np.zeros((4, 2))}, r"out has shape \(4, 2\), expected \(4, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    arguments = {
        "X": np.ones((4, 2)),
        "coef": np.ones((1, 2)),
        "intercept": np.zeros(1),
        "out": np.zeros((4, 1)),
    }
    with pytest.raises(ValueError, match=message):
        _kernels.linear_predict(**arguments | change)
