"""Nonnegative least squares against SciPy's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from shoal.solvers.nonnegative import solve_nonnegative


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_is_scipys(seed, n_features):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(40, n_features)) + generator.normal(size=(40, 1))
    y = generator.normal(size=40)
    found = solve_nonnegative(X.T @ X, X.T @ y)
    assert np.all(found >= 0)
    np.testing.assert_allclose(found, nnls(X, y)[0], atol=1e-9)


@given(st.integers(0, 10_000))
def test_collinear_columns_explain_as_much(seed):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(40, 3)) @ generator.integers(0, 2, size=(3, 6))
    y = generator.normal(size=40)
    found = solve_nonnegative(X.T @ X, X.T @ y)
    assert np.all(found >= 0)
    np.testing.assert_allclose(np.linalg.norm(X @ found - y), nnls(X, y)[1], rtol=1e-9)


def test_all_slopes_point_down():
    np.testing.assert_array_equal(solve_nonnegative(np.eye(3), -np.ones(3)), 0)
