"""Tweedie regression against scikit-learn's."""

import numpy as np
import pytest
import sklearn.linear_model
from tests.linear_model.glm import assert_equals_scikit_learns, diabetes

from shoal.exceptions import DataError, ParameterError
from shoal.linear_model import TweedieRegressor


@pytest.mark.parametrize(
    "options",
    [
        {"power": 0},
        {"power": 0, "link": "log", "alpha": 10.0},
        {"power": 1},
        {"power": 1.5},
        {"power": 1.5, "fit_intercept": False},
        {"power": 2},
        {"power": 3, "alpha": 0.1},
    ],
)
def test_equals_scikit_learns(options):
    model = TweedieRegressor(**options, tol=1e-9, max_iter=2000)
    assert_equals_scikit_learns(model, sklearn.linear_model.TweedieRegressor(**options))


def test_negative_powers_keep_means_positive():
    X, y = diabetes()
    y = y / y.std() - 1
    auto = TweedieRegressor(power=-1, tol=1e-8).fit(X, y)
    model = TweedieRegressor(power=-1, link="log", tol=1e-8).fit(X, y)
    np.testing.assert_array_equal(auto.coef_, model.coef_)
    assert y.min() < 0 < auto.predict(X).min()
    expected = sklearn.linear_model.TweedieRegressor(power=-1, link="log", tol=1e-8).fit(X, y)
    np.testing.assert_allclose(auto.coef_, expected.coef_, rtol=1e-4)
    assert auto.score(X, y) == pytest.approx(expected.score(X, y), rel=1e-6)


def test_bad_parameters():
    X, y = diabetes()
    with pytest.raises(ParameterError, match="power"):
        TweedieRegressor(power=0.5).fit(X, y)
    with pytest.raises(ParameterError, match="link='identity'"):
        TweedieRegressor(power=1.5, link="identity").fit(X, y)
    with pytest.raises(ValueError, match="link"):
        TweedieRegressor(link="probit").fit(X, y)
    with pytest.raises(DataError, match="needs targets"):
        TweedieRegressor(power=1.5).fit(X, -np.abs(y))
