"""Fits through a link: solvers, starts, passes, faults."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import mean_tweedie_deviance
from tests.linear_model.glm import diabetes

from shoal.exceptions import DivergenceError
from shoal.linear_model import PoissonRegressor, TweedieRegressor
from shoal.linear_model.generalized_linear_regressor import tweedie_deviance


@pytest.mark.parametrize("solver", ["newton", "nesterov", "gradient_descent"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_solvers_agree(solver, fit_intercept):
    X, y = diabetes()
    options = {"alpha": 10.0, "tol": 1e-7, "max_iter": 10_000, "fit_intercept": fit_intercept}
    expected = PoissonRegressor(**options).fit(X, y)
    found = PoissonRegressor(solver=solver, **options).fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-6)
    assert (expected.solver_, found.solver_) == ("lbfgs", solver)
    assert len(found.loss_curve_) == found.n_iter_


@pytest.mark.filterwarnings("ignore:gradient_descent did not converge")
def test_gradient_descent_is_the_textbooks():
    X, y = diabetes()
    y = y / 100
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(25):
        slope = np.exp(X @ w + b) - y
        w, b = w - 0.1 * (X.T @ slope / len(y) + 0.5 * w), b - 0.1 * slope.mean()
    model = PoissonRegressor(
        alpha=0.5, solver="gradient_descent", learning_rate=0.1, max_iter=25, tol=0.0
    ).fit(X, y)
    np.testing.assert_allclose(model.coef_, w, rtol=1e-9)
    assert model.intercept_ == pytest.approx(b, rel=1e-10)


def test_a_warm_start_begins_where_the_last_fit_ended():
    X, y = diabetes()
    model = PoissonRegressor(warm_start=True, tol=1e-6).fit(X, y)
    assert model.n_iter_ > 3
    last = model.loss_curve_[-1]
    model.set_params(tol=1e-5).fit(X, y)
    assert model.n_iter_ == 0
    assert model.set_params(alpha=1.1).fit(X, y).loss_curve_[0] >= last


def test_too_few_steps_are_warned_of():
    X, y = diabetes()
    with pytest.warns(ConvergenceWarning, match=r"lbfgs did not converge within max_iter=2"):
        model = PoissonRegressor(max_iter=2, tol=1e-9).fit(X, y)
    assert model.n_iter_ == 2


def test_diverging_steps():
    X, y = diabetes()
    model = PoissonRegressor(solver="gradient_descent", learning_rate=50.0)
    with pytest.raises(DivergenceError, match=r"learning_rate=50 "):
        model.fit(X, y)


def test_targets_of_zeros():
    X, y = diabetes()
    model = PoissonRegressor(alpha=1.0).fit(X, np.zeros_like(y))
    assert model.predict(X).max() < 1e-3


@pytest.mark.parametrize("power", [0, 1, 1.5, 2, 3])
def test_deviance_is_that_of_scikit_learns_metrics(power):
    y, mean = np.array([1.0, 2.5, 4.0]), np.array([1.5, 2.0, 4.0])
    found = tweedie_deviance(y, mean, power)
    assert found.mean() == pytest.approx(mean_tweedie_deviance(y, mean, power=power), rel=1e-13)


def test_power_is_part_of_what_a_checkpoint_was_made_for(tmp_path):
    X, y = diabetes()
    path = tmp_path / "fit"
    TweedieRegressor(power=1.5).fit(X, y, checkpoint=path)
    with pytest.raises(ValueError, match="other parameters"):
        TweedieRegressor(power=1.6).fit(X, y, checkpoint=path)
