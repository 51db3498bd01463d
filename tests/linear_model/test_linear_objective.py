"""The objective of a penalised linear model: values, gradients, proximal steps."""

import numpy as np
import pytest
from tests.linear_model.losses import dataset, moments

from shoal.linear_model.coordinates import Coordinates
from shoal.linear_model.linear_objective import LinearObjective
from shoal.linear_model.moment_loss import MomentLoss
from shoal.penalties import L1, L2

PARAMETERS = np.array([0.5, -1.0, 0.25, 2.0, 0.75])


def objective(**options):
    found = moments(dataset())
    curvature = np.array([[1.0, 4.0, 0.25, 9.0]])
    coordinates = Coordinates.of_curvature(found.mean, curvature, np.ones(1), True)
    return LinearObjective(MomentLoss(found), L2(0.5), L1(0.3), coordinates, **options)


def value(parameters):
    return objective().evaluate(parameters, None).value


def test_gradient_and_hessian_are_those_of_the_value():
    found = objective().evaluate_hessian(PARAMETERS, None)
    units = 1e-3 * np.eye(5)
    central = [(value(PARAMETERS + unit) - value(PARAMETERS - unit)) / 2e-3 for unit in units]
    np.testing.assert_allclose(found.gradient, central, rtol=1e-7)
    slopes = [objective().evaluate(PARAMETERS + unit, None).gradient for unit in units]
    np.testing.assert_allclose(found.hessian, (slopes - found.gradient) / 1e-3, atol=1e-8)
    assert found.value == value(PARAMETERS)


@pytest.mark.parametrize("positive", [False, True])
def test_the_proximal_step_is_the_nearest_of_least_penalty(positive):
    """Coefficient by coefficient, by search on a grid; the intercept stays."""
    some, step = objective(positive=positive), 0.8
    found = some.prox(PARAMETERS, step)
    assert found[4] == PARAMETERS[4]
    grid = np.linspace(-3, 3, 60_001)
    for j in range(4):
        scale = some.coordinates.scale[0, j]
        cost = (grid - PARAMETERS[j]) ** 2 / 2 + step * 0.3 * np.abs(scale * grid)
        best = grid[np.where((scale * grid < 0) & positive, np.inf, cost).argmin()]
        assert found[j] == pytest.approx(best, abs=1.1e-4)


def test_penalties_are_on_the_coefficients_themselves():
    some = objective()
    coef, _ = some.coordinates.model(PARAMETERS)
    assert some.penalty_value(PARAMETERS) == pytest.approx(0.3 * np.abs(coef).sum())
    without = LinearObjective(some.loss, L2(0.0), some.l1, some.coordinates)
    difference = value(PARAMETERS) - without.evaluate(PARAMETERS, None).value
    assert difference == pytest.approx(0.25 * (coef**2).sum())
