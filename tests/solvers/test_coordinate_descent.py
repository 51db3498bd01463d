"""Coordinate descent on a Gram matrix against scikit-learn's on the rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet

from shoal.solvers.coordinate_descent import ElasticNetProblem


def rows(n_rows=60, n_features=8, seed=0):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n_rows, n_features)) @ generator.normal(size=(n_features,) * 2)
    return X, X @ generator.normal(size=n_features) + generator.normal(size=n_rows)


def problem(X, y, **options):
    n_rows = len(X)
    return ElasticNetProblem(X.T @ X / n_rows, X.T @ y / n_rows, float(y @ y) / n_rows, **options)


def objective(X, y, coef, l1, l2):
    residual = y - X @ coef
    return residual @ residual / (2 * len(X)) + l1 * np.abs(coef).sum() + l2 * coef @ coef / 2


@given(
    seed=st.integers(0, 1000),
    l1_ratio=st.sampled_from([0.1, 0.5, 1.0]),
    alpha=st.floats(0.01, 3),
    positive=st.booleans(),
)
def test_is_scikit_learns_and_the_gap_is_a_bound(seed, l1_ratio, alpha, positive):
    X, y = rows(seed=seed)
    expected = ElasticNet(
        alpha,
        l1_ratio=l1_ratio,
        fit_intercept=False,
        positive=positive,
        tol=1e-12,
        max_iter=100_000,
    ).fit(X, y)
    penalty = (alpha * l1_ratio, alpha * (1 - l1_ratio))
    exact = problem(X, y, positive=positive).solve(*penalty, np.zeros(8), 100_000, 1e-12)
    least = objective(X, y, expected.coef_, *penalty)
    np.testing.assert_allclose(exact.coef, expected.coef_, atol=1e-4)
    assert objective(X, y, exact.coef, *penalty) == pytest.approx(least, rel=1e-9)
    rough = problem(X, y, positive=positive).solve(*penalty, np.zeros(8), 3, 0.0)
    above = objective(X, y, rough.coef, *penalty) - least
    assert rough.n_iter <= 3
    assert above <= rough.gap + 1e-9 * least


def test_gap_ends_the_sweeps():
    X, y = rows()
    found = problem(X, y).solve(0.1, 0.0, np.zeros(8), 1000, 1e-4)
    assert 1 < found.n_iter < 1000
    assert 0 <= found.gap <= 1e-4 * (y @ y) / len(y)


def test_a_warm_start_takes_fewer_sweeps():
    X, y = rows()
    cold = problem(X, y).solve(0.1, 0.0, np.zeros(8), 1000, 1e-8)
    assert problem(X, y).solve(0.1, 0.0, cold.coef, 1000, 1e-8).n_iter == 1


def test_a_column_of_zeros_has_no_coefficient():
    X, y = rows()
    X[:, 3] = 0
    start = np.ones(8)
    assert problem(X, y).solve(0.1, 0.0, start, 1000, 1e-8).coef[3] == 0
    assert np.all(start == 1)
