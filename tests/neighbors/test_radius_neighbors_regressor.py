"""Regression by all rows within a radius."""

import numpy as np
import pytest

from shoal.neighbors import RadiusNeighborsRegressor


def test_averages_in_closed_form():
    X, y = np.array([[0.0], [1.0], [3.0]]), np.array([1.0, 2.0, 6.0])
    assert RadiusNeighborsRegressor(2.0).fit(X, y).predict([[1.0], [5.0]]).tolist() == [3.0, 6.0]


def test_queries_without_a_row_in_reach():
    model = RadiusNeighborsRegressor(0.5).fit([[0.0], [1.0]], [3.0, 4.0])
    with pytest.warns(UserWarning, match="no neighbors within specified radius; predicting NaN"):
        predictions = model.predict([[0.0], [7.0]])
    np.testing.assert_array_equal(predictions, [3.0, np.nan])
