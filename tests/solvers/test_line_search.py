"""The line search on functions of one variable."""

import numpy as np
import pytest

from shoal.solvers.line_search import backtrack
from shoal.solvers.objective import Evaluation


def search(function, slope):
    """From 0 along a function given with its derivative; the step, and the steps tried."""
    tried = []

    def evaluate(step):
        tried.append(step)
        return Evaluation(function(step), np.array([slope(step)]))

    start = Evaluation(function(0.0), np.array([slope(0.0)]))
    return backtrack(evaluate, start, slope(0.0)), tried


def test_a_good_step_is_one_evaluation():
    found, tried = search(lambda t: (t - 1) ** 2, lambda t: 2 * (t - 1))
    assert found[0] == 1.0
    assert found[1].value == 0.0
    assert tried == [1.0]


def test_too_long_a_step_is_shortened_to_the_minimum_of_the_parabola():
    found, tried = search(lambda t: (t - 0.2) ** 2, lambda t: 2 * (t - 0.2))
    assert found[0] == pytest.approx(0.2)
    assert len(tried) == 2


def test_a_step_that_hardly_goes_down_is_too_long():
    """Down to the other side of the valley, almost as high: such steps would never end."""
    found, tried = search(lambda t: (t - 0.50001) ** 2, lambda t: 2 * (t - 0.50001))
    assert found[0] == pytest.approx(0.5)
    assert len(tried) == 2


def test_infinite_values_are_left_behind():
    with np.errstate(divide="ignore", invalid="ignore"):
        found, _ = search(lambda t: -np.log(0.3 - t) - 8 * t, lambda t: 1 / (0.3 - t) - 8)
    assert 0 < found[0] < 0.3


def test_no_step_goes_down():
    found, tried = search(lambda t: 1 + abs(t), lambda t: -1.0)
    assert found is None
    assert len(tried) == 40


def test_within_rounding_gradients_decide():
    # (t - 1)^2 times 1e-20 beside 1: values are all 1, or one rounding more.
    rising = np.nextafter(1.0, 2.0)
    found, _ = search(lambda t: rising if t else 1.0, lambda t: 2e-20 * (t - 0.9))
    assert found[0] == 1.0


def test_a_fall_within_rounding_without_a_parabola_is_shortened():
    # Gradients do not fall, and values lie on the tangent: it has no minimum.
    found, tried = search(lambda t: 2.0**53 - t, lambda t: -1.0)
    assert found is None
    assert tried[1] == 0.1
