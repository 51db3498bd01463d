"""The Lasso against scikit-learn's, and its path."""

import numpy as np
import pytest
import sklearn.linear_model
from sklearn.datasets import load_diabetes
from tests.linear_model.models import amounts, rows

from shoal.linear_model import Lasso


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 2.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_equals_scikit_learns(alpha, fit_intercept):
    X, y = load_diabetes(return_X_y=True)
    options = {"alpha": alpha, "fit_intercept": fit_intercept, "tol": 1e-12, "max_iter": 100_000}
    expected = sklearn.linear_model.Lasso(**options).fit(X, y)
    found = Lasso(**options).fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(found.coef_ == 0, expected.coef_ == 0)


def test_one_pass_solves_a_path():
    X, y = load_diabetes(return_X_y=True)
    alphas, expected, _ = sklearn.linear_model.lasso_path(
        X, y - y.mean(), alphas=20, tol=1e-10, max_iter=100_000
    )
    found = Lasso(alphas=alphas, tol=1e-12, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(found.coef_path_.T, expected, atol=1e-3)
    assert np.all(np.diff((found.coef_path_ != 0).sum(axis=1)) >= -1)


def test_several_targets():
    X = rows()
    y = np.column_stack([amounts(X), amounts(X, seed=5)])
    found = Lasso(0.1, alphas=[1.0, 0.2], tol=1e-10).fit(X, y)
    for k in range(2):
        alone = Lasso(0.1, alphas=[1.0, 0.2], tol=1e-10).fit(X, y[:, k])
        np.testing.assert_allclose(found.coef_[k], alone.coef_, atol=1e-12)
        np.testing.assert_allclose(found.coef_path_[:, k], alone.coef_path_, atol=1e-12)


def test_a_warm_start_takes_fewer_sweeps():
    X, y = load_diabetes(return_X_y=True)
    model = Lasso(0.01, warm_start=True, tol=1e-8).fit(X, y)
    cold = model.n_iter_
    assert model.fit(X, y).n_iter_ == 1 < cold
