"""Huber's loss at its joints."""

import numpy as np
import pytest

from shoal.exceptions import ParameterError
from shoal.losses import HalfSquaredError, Huber


def test_is_squared_error_up_to_epsilon_and_linear_beyond():
    loss = Huber(2.0)
    raw = np.linspace(-2, 2, 41)
    np.testing.assert_array_equal(loss.value(0.0, raw), HalfSquaredError().value(0.0, raw))
    np.testing.assert_array_equal(loss.value(0.0, [2.0, 3.0, -5.0]), [2.0, 4.0, 8.0])
    np.testing.assert_array_equal(loss.gradient(0.0, [2.0, 3.0, -5.0]), [2.0, 2.0, -2.0])


@pytest.mark.parametrize("epsilon", [0.0, -1.0, np.inf, np.nan])
def test_an_epsilon_that_makes_no_loss_is_refused(epsilon):
    with pytest.raises(ParameterError, match="epsilon must be above 0"):
        Huber(epsilon)
