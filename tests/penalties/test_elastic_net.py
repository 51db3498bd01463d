"""The elastic net: a mixture of two penalties, against scikit-learn's objective."""

import numpy as np
import pytest
import sklearn.linear_model
from scipy.optimize import minimize

from shoal.exceptions import ParameterError
from shoal.penalties import L1, L2, ElasticNet


def test_is_the_mixture():
    coef = np.array([3.0, -4.0])
    net = ElasticNet(0.8, 0.25)
    assert net.value(coef) == pytest.approx(L1(0.2).value(coef) + L2(0.6).value(coef))
    np.testing.assert_allclose(net.gradient(coef), L2(0.6).gradient(coef))
    np.testing.assert_allclose(net.prox(coef, 2.0), L1(0.2).prox(coef, 2.0))


def test_scikit_learns_coefficients_minimise_the_objective():
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(50, 3)), generator.normal(size=50)
    net = ElasticNet(0.1, 0.4)
    fitted = sklearn.linear_model.ElasticNet(
        alpha=net.alpha, l1_ratio=net.l1_ratio, fit_intercept=False, tol=1e-12
    ).fit(X, y)

    def objective(w):
        return float(np.mean((X @ w - y) ** 2)) / 2 + net.value(w)

    best = minimize(objective, fitted.coef_, method="Nelder-Mead", options={"xatol": 1e-9})
    assert objective(fitted.coef_) <= best.fun + 1e-12


@pytest.mark.parametrize("l1_ratio", [-0.1, 1.1, np.nan])
def test_a_share_out_of_range_is_refused(l1_ratio):
    with pytest.raises(ParameterError, match="l1_ratio must lie in"):
        ElasticNet(1.0, l1_ratio)


def test_a_negative_strength_is_refused():
    with pytest.raises(ParameterError, match="alpha must be finite and not negative"):
        ElasticNet(-1.0)
