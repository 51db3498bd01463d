"""Descents of linear models: starts, checkpoints, what callbacks see."""

import numpy as np
import pytest
from sklearn.callback import ScoringMonitor
from sklearn.metrics import get_scorer
from tests.linear_model.models import amounts, labels, rows

from shoal.linear_model import LogisticRegression, PoissonRegressor, Ridge
from shoal.linear_model.problem import started


def test_starts():
    X = rows()
    model = LogisticRegression(warm_start=True)
    constant = started(model, (1, 4), np.array([0.5]))
    assert not constant.coef.any()
    np.testing.assert_array_equal(constant.intercept, [0.5])
    model.fit(X, labels(X))
    last = started(model, (1, 4), np.zeros(1))
    np.testing.assert_array_equal(last.coef, model.coef_)
    assert last.coef is not model.coef_
    assert not started(model, (3, 4), np.zeros(3)).coef.any()
    assert not started(model.set_params(warm_start=False), (1, 4), np.zeros(1)).coef.any()


def test_a_fit_begins_at_the_constant_model():
    X = rows()
    y = labels(X)
    model = LogisticRegression(tol=1.0).fit(X, y)
    assert model.n_iter_ == 0
    assert not model.coef_.any()
    np.testing.assert_allclose(model.intercept_, np.log(y.mean() / (1 - y.mean())))


@pytest.mark.filterwarnings("ignore:gradient_descent did not converge")
def test_the_textbooks_fit_begins_at_zero():
    X = rows()
    y = labels(X)
    model = LogisticRegression(solver="gradient_descent", learning_rate=1e-3, max_iter=1).fit(X, y)
    assert model.loss_curve_ == [pytest.approx(np.log(2))]
    np.testing.assert_allclose(model.intercept_, 1e-3 * (y - 0.5).mean(), rtol=1e-10)


@pytest.mark.parametrize(
    ("model", "scoring"),
    [
        (LogisticRegression(), "accuracy"),
        (Ridge(solver="lbfgs"), "r2"),
        (PoissonRegressor(), "d2_absolute_error_score"),
    ],
)
def test_callbacks_see_the_model_of_each_step(model, scoring):
    X = rows()
    y = labels(X) if scoring == "accuracy" else amounts(X)
    monitor = ScoringMonitor(scoring=scoring)
    model.set_callbacks(monitor).fit(X, y)
    scores = [row[scoring] for row in monitor.get_logs().data]
    assert len(scores) == model.n_iter_ > 2
    assert scores[-1] == pytest.approx(get_scorer(scoring)(model, X, y), rel=1e-12)
