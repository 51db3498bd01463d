"""Losses of margins at their corners, where scikit-learn's SGD has conventions."""

import numpy as np
import pytest

from shoal.losses import Hinge, ModifiedHuber, Perceptron, SquaredHinge


@pytest.mark.parametrize("y", [-1.0, 1.0])
def test_subgradients_at_corners(y):
    assert Hinge().gradient(y, y) == -y
    assert Perceptron().gradient(y, 0.0) == -y
    assert SquaredHinge().gradient(y, y) == 0
    assert ModifiedHuber().gradient(y, -y) == -4 * y


@pytest.mark.parametrize("loss", [Hinge(), SquaredHinge(), ModifiedHuber(), Perceptron()])
def test_depends_on_the_margin_alone(loss):
    raw = np.linspace(-4, 4, 81)
    np.testing.assert_array_equal(loss.value(1.0, raw), loss.value(-1.0, -raw))
    np.testing.assert_array_equal(loss.gradient(1.0, raw), -loss.gradient(-1.0, -raw))
    assert loss.labels == (-1.0, 1.0)
    assert loss.value(1.0, 2.0) == 0
