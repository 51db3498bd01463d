"""Ridge regression against scikit-learn's."""

import numpy as np
import pytest
import sklearn.linear_model
from sklearn.datasets import load_diabetes
from tests.linear_model.models import weights

from shoal.exceptions import ParameterError
from shoal.linear_model import Ridge


@pytest.mark.parametrize("alpha", [0.0, 1e-3, 1.0, 100.0])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_equals_scikit_learns(alpha, weighted, fit_intercept):
    X, y = load_diabetes(return_X_y=True)
    weight = weights(len(X)) if weighted else None
    options = {"alpha": alpha, "fit_intercept": fit_intercept}
    expected = sklearn.linear_model.Ridge(**options, solver="cholesky").fit(X, y, weight)
    found = Ridge(**options).fit(X, y, weight)
    scale = np.abs(expected.coef_).max()
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0, atol=1e-10 * scale)
    assert found.intercept_ == pytest.approx(expected.intercept_, rel=1e-10, abs=1e-12)


def test_coefficients_that_may_not_be_negative():
    X, y = load_diabetes(return_X_y=True)
    expected = sklearn.linear_model.Ridge(positive=True, tol=1e-14, max_iter=100_000).fit(X, y)
    found = Ridge(positive=True).fit(X, y)
    assert found.coef_.min() == 0
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-2 * expected.coef_.max())

    def objective(model):
        residual = y - model.predict(X)
        return residual @ residual + model.coef_ @ model.coef_

    assert objective(found) <= objective(expected) * (1 + 1e-12)


def test_one_pass_solves_a_path():
    X, y = load_diabetes(return_X_y=True)
    alphas = [0.1, 10.0, 1.0]
    path = Ridge(alpha=0.5, alphas=alphas).fit(X, y)
    for alpha, coef, intercept in zip(alphas, path.coef_path_, path.intercept_path_, strict=True):
        alone = Ridge(alpha).fit(X, y)
        np.testing.assert_array_equal(coef, alone.coef_)
        assert intercept == alone.intercept_
    np.testing.assert_array_equal(path.coef_, Ridge(0.5).fit(X, y).coef_)
    np.testing.assert_array_equal(path.alphas_, alphas)
    assert not hasattr(path.set_params(alphas=None).fit(X, y), "coef_path_")


@pytest.mark.parametrize("solver", ["lbfgs", "newton", "nesterov", "gradient_descent"])
def test_solvers_agree(solver):
    X, y = load_diabetes(return_X_y=True)
    y = np.column_stack([y, -y])
    expected = Ridge(alphas=[3.0]).fit(X, y)
    found = Ridge(alphas=[3.0], solver=solver, tol=1e-8, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(found.coef_path_, expected.coef_path_, atol=1e-5)
    assert found.solver_ == solver


@pytest.mark.parametrize("bad", [-1.0, "strong"])
def test_bad_strengths(bad):
    with pytest.raises((ValueError, TypeError), match="alpha"):
        Ridge(bad).fit(np.ones((3, 1)), np.ones(3))


@pytest.mark.parametrize("bad", [[-1.0], [np.inf], 1.0])
def test_bad_paths(bad):
    with pytest.raises(ParameterError, match="alphas"):
        Ridge(alphas=bad).fit(np.ones((3, 1)), np.ones(3))
