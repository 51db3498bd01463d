"""The L1 penalty: its factor and its domain."""

import numpy as np
import pytest

from shoal.exceptions import ParameterError
from shoal.penalties import L1


def test_has_scikit_learns_factor():
    coef = np.array([3.0, -4.0])
    assert L1(0.5).value(coef) == 3.5  # alpha |w|_1


@pytest.mark.parametrize("alpha", [-1.0, np.inf, np.nan])
def test_a_strength_that_makes_no_penalty_is_refused(alpha):
    with pytest.raises(ParameterError, match="alpha must be finite and not negative"):
        L1(alpha)


def test_small_coefficients_become_exactly_zero():
    found = L1(2.0).prox(np.array([1.0, -1.0, 0.5, 3.0, -3.0]), 0.5)
    np.testing.assert_array_equal(found, [0.0, 0.0, 0.0, 2.0, -2.0])
