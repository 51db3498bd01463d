"""Linear algebra in one order of operations, against LAPACK and fractions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.solvers.linear_algebra import dot, norm, product, solve_semidefinite


def gram(n_rows, n_columns, seed=0):
    X = np.random.default_rng(seed).normal(size=(n_rows, n_columns))
    return X.T @ X


def test_products():
    generator = np.random.default_rng(0)
    A, B, x = (generator.normal(size=shape) for shape in ((4, 3), (3, 2), 3))
    np.testing.assert_allclose(product(A, B), A @ B, rtol=1e-14)
    np.testing.assert_allclose(product(A, x), A @ x, rtol=1e-14)
    assert dot(x, x) == pytest.approx(x @ x, rel=1e-15)
    assert norm(x) == pytest.approx(np.linalg.norm(x), rel=1e-15)


@given(st.integers(1, 12), st.integers(1, 3), st.integers(0, 100))
def test_full_rank(n, n_targets, seed):
    A = gram(3 * n, n, seed)
    B = np.random.default_rng(seed).normal(size=(n, n_targets))
    expected = np.linalg.solve(A, B)
    np.testing.assert_allclose(
        solve_semidefinite(A, B), expected, rtol=0, atol=1e-11 * np.abs(expected).max()
    )


@given(st.integers(2, 12), st.integers(1, 11), st.integers(0, 100))
def test_deficient_rank_gives_the_solution_of_least_norm(n, rank, seed):
    rank = min(rank, n - 1)
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(30, rank)) @ generator.normal(size=(rank, n))
    y = generator.normal(size=30)
    expected = np.linalg.lstsq(X, y, rcond=1e-9)[0]
    found = solve_semidefinite(X.T @ X, (X.T @ y)[:, None])[:, 0]
    # Normal equations square the condition, which for random factors can be some thousand.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_scales_do_not_matter():
    A, scale = gram(50, 4), np.array([1e-9, 1.0, 1e9, 3.0])
    x = np.array([[1.0], [-2.0], [0.5], [3.0]])
    scaled = scale[:, None] * A * scale
    found = solve_semidefinite(scaled, scaled @ (x / scale[:, None]))
    np.testing.assert_allclose(found * scale[:, None], x, rtol=1e-11)


def test_nothing_to_explain():
    np.testing.assert_array_equal(solve_semidefinite(np.zeros((3, 3)), np.zeros((3, 1))), 0)


def test_equal_columns_share_their_weight():
    A = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    found = solve_semidefinite(A, np.array([[4.0], [4.0], [2.0]]))
    np.testing.assert_allclose(found[:, 0], [2, 2, 1], rtol=1e-15)
