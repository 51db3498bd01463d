"""Losses that forgive small errors, at their corners."""

import numpy as np
import pytest

from shoal.exceptions import ParameterError
from shoal.losses import EpsilonInsensitive, SquaredEpsilonInsensitive

LOSSES = [EpsilonInsensitive, SquaredEpsilonInsensitive]


@pytest.mark.parametrize("loss", LOSSES)
def test_errors_up_to_epsilon_are_forgiven(loss):
    inside = np.linspace(-0.5, 0.5, 11)
    assert not loss(0.5).value(0.0, inside).any()
    assert not loss(0.5).gradient(0.0, inside).any()
    assert (loss(0.5).value(0.0, [-0.75, 0.75]) > 0).all()


def test_without_epsilon_they_are_absolute_and_squared_error():
    raw = np.array([-3.0, 2.0])
    np.testing.assert_array_equal(EpsilonInsensitive(0).value(0.0, raw), [3.0, 2.0])
    np.testing.assert_array_equal(SquaredEpsilonInsensitive(0).value(0.0, raw), [9.0, 4.0])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("epsilon", [-1.0, np.inf, np.nan])
def test_an_epsilon_that_makes_no_loss_is_refused(loss, epsilon):
    with pytest.raises(ParameterError, match="epsilon must not be negative"):
        loss(epsilon)
