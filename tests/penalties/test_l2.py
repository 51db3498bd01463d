"""The L2 penalty: its factor and its domain."""

import numpy as np
import pytest

from shoal.exceptions import ParameterError
from shoal.penalties import L2


def test_has_scikit_learns_factor():
    coef = np.array([3.0, -4.0])
    assert L2(0.5).value(coef) == 6.25  # alpha / 2 |w|^2


@pytest.mark.parametrize("alpha", [-1.0, np.inf, np.nan])
def test_a_strength_that_makes_no_penalty_is_refused(alpha):
    with pytest.raises(ParameterError, match="alpha must be finite and not negative"):
        L2(alpha)
