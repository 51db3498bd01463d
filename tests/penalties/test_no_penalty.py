"""No penalty."""

import numpy as np

from shoal.penalties import NoPenalty


def test_is_nothing():
    coef = np.array([[3.0, -4.0]])
    penalty = NoPenalty()
    assert penalty.value(coef) == 0
    np.testing.assert_array_equal(penalty.gradient(coef), [[0.0, 0.0]])
    np.testing.assert_array_equal(penalty.prox(coef, 1.0), coef)
