"""Predictions and scores of regressors against scikit-learn's."""

import numpy as np
import pytest
import sklearn.linear_model
from sklearn.metrics import r2_score
from tests.linear_model.models import amounts, rows, weights

from shoal import open_dataset
from shoal.linear_model import LinearRegression, PoissonRegressor, TweedieRegressor


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_score_is_scikit_learns(weighted, offset):
    X = rows()
    y = amounts(X) + offset
    weight = weights(len(X)) if weighted else None
    model = LinearRegression().fit(X, y)
    expected = r2_score(y, model.predict(X), sample_weight=weight)
    assert model.score(X, y, weight) == pytest.approx(expected, rel=1e-9)


def test_score_of_several_outputs_is_their_mean():
    X = rows()
    y = np.column_stack([amounts(X), amounts(X, seed=2)])
    model = LinearRegression().fit(X, y)
    assert model.score(X, y) == pytest.approx(r2_score(y, model.predict(X)), rel=1e-12)


@pytest.mark.parametrize("y", [np.full(200, 3.0), np.full(200, 4.0)])
def test_score_of_a_constant_target(y):
    X = rows()
    model = LinearRegression().fit(X, np.full(200, 3.0))
    assert model.score(X, y) == r2_score(y, model.predict(X))


@pytest.mark.parametrize("power", [0, 1, 1.5, 2, 3])
def test_score_of_a_deviance_is_scikit_learns(power):
    X = rows()
    y, weight = amounts(X), weights(len(X))
    model = TweedieRegressor(power=power, alpha=0.1).fit(X, y, weight)
    other = sklearn.linear_model.TweedieRegressor(power=power, alpha=0.1).fit(X, y, weight)
    other.coef_, other.intercept_ = model.coef_, model.intercept_
    assert model.score(X, y, weight) == pytest.approx(other.score(X, y, weight), rel=1e-9)


def test_counts_of_zero_have_a_deviance():
    X = rows()
    y = np.where(np.arange(200) % 3, amounts(X), 0)
    model = PoissonRegressor().fit(X, y)
    other = sklearn.linear_model.PoissonRegressor().fit(X, y)
    other.coef_, other.intercept_ = model.coef_, model.intercept_
    assert model.score(X, y) == pytest.approx(other.score(X, y), rel=1e-9)


def test_score_where_rows_are_dropped():
    X = rows()
    y = amounts(X)
    model = LinearRegression().fit(X, y)
    holes = X.copy()
    holes[::7, 1] = np.nan
    kept = ~np.isnan(holes).any(axis=1)
    dataset = open_dataset(holes, target=y, missing="drop")
    assert model.score(dataset) == model.score(X[kept], y[kept])
