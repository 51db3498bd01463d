"""Regression by the nearest rows."""

import numpy as np

from shoal.neighbors import KNeighborsRegressor


def test_averages_in_closed_form():
    X, y = np.array([[0.0], [1.0], [3.0]]), np.array([1.0, 2.0, 6.0])
    assert KNeighborsRegressor(2).fit(X, y).predict([[0.25]]).tolist() == [1.5]
    weighted = KNeighborsRegressor(2, weights="distance").fit(X, y)
    np.testing.assert_allclose(weighted.predict([[0.25], [3.0]]), [(3 * 1 + 2) / 4, 6.0])
