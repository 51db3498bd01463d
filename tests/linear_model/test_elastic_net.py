"""The elastic net against scikit-learn's."""

import numpy as np
import pytest
import sklearn.linear_model
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from tests.linear_model.models import weights

from shoal.exceptions import ParameterError
from shoal.linear_model import ElasticNet, Ridge


@pytest.mark.parametrize("alpha", [1e-3, 0.1])
@pytest.mark.parametrize("l1_ratio", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_equals_scikit_learns(alpha, l1_ratio, weighted, positive):
    X, y = load_diabetes(return_X_y=True)
    weight = weights(len(X)) if weighted else None
    options = {"alpha": alpha, "l1_ratio": l1_ratio, "positive": positive}
    options |= {"tol": 1e-12, "max_iter": 100_000}
    expected = sklearn.linear_model.ElasticNet(**options).fit(X, y, weight)
    found = ElasticNet(**options).fit(X, y, weight)
    scale = np.abs(expected.coef_).max()
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0, atol=1e-5 * scale)
    assert found.intercept_ == pytest.approx(expected.intercept_, rel=1e-6)
    assert found.dual_gap_ <= 1e-12 * np.var(y) * 3


def test_without_l1_it_is_ridge_and_solved():
    X, y = load_diabetes(return_X_y=True)
    found = ElasticNet(0.1, l1_ratio=0.0).fit(X, y)
    np.testing.assert_allclose(found.coef_, Ridge(0.1 * len(X)).fit(X, y).coef_, rtol=1e-12)
    assert (found.n_iter_, found.dual_gap_) == (1, 0.0)


@pytest.mark.parametrize("solver", ["nesterov", "gradient_descent"])
def test_solvers_agree(solver):
    X, y = load_diabetes(return_X_y=True)
    expected = ElasticNet(0.01, tol=1e-12).fit(X, y)
    found = ElasticNet(0.01, solver=solver, tol=1e-8, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-4)
    np.testing.assert_array_equal(found.coef_ == 0, expected.coef_ == 0)
    assert not hasattr(found, "dual_gap_")


def test_too_few_sweeps_are_warned_of():
    X, y = load_diabetes(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=2 for 2 of 2 penalties"):
        found = ElasticNet(1e-4, alphas=[1e-3], max_iter=2, tol=1e-9).fit(X, y)
    assert found.n_iter_ == 2


@pytest.mark.parametrize("bad", [-0.1, 1.1])
def test_bad_ratios(bad):
    with pytest.raises(ValueError, match="l1_ratio"):
        ElasticNet(l1_ratio=bad).fit(np.ones((3, 1)), np.ones(3))


def test_solvers_that_know_no_corners_are_refused():
    with pytest.raises(ValueError, match="solver"):
        ElasticNet(solver="lbfgs").fit(np.ones((3, 1)), np.ones(3))
    assert issubclass(ParameterError, ValueError)
