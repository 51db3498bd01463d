"""Half the squared error."""

import numpy as np
from sklearn.metrics import mean_squared_error

from shoal.losses import HalfSquaredError


def test_twice_the_mean_is_scikit_learns_error():
    y, raw = np.random.default_rng(0).normal(size=(2, 100))
    loss = HalfSquaredError()
    np.testing.assert_allclose(2 * loss.value(y, raw).mean(), mean_squared_error(y, raw))
    np.testing.assert_array_equal(loss.gradient(y, raw), raw - y)
    np.testing.assert_array_equal(loss.hessian(y, raw), np.ones(100))
