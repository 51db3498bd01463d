"""The accelerated gradient method against closed forms and optimality conditions."""

import numpy as np
import pytest
from tests.solvers.objectives import counted, logistic, parabola

from shoal.solvers.driver import run
from shoal.solvers.gradient_descent import GradientDescent
from shoal.solvers.nesterov import Nesterov
from shoal.solvers.solver import Status
from shoal.testing import check_solver


def nesterov(objective, n_parameters, *, rate=1.0, max_iter=1000, tol=1e-8):
    return Nesterov(objective, np.zeros(n_parameters), max_iter, tol, rate)


@pytest.mark.parametrize("l1", [0.0, 2.0])
def test_conformance(l1):
    check_solver(nesterov(parabola(l1=l1), 5, max_iter=12), counted())


@pytest.mark.parametrize("rate", [1e-3, 0.05, 10.0])
def test_minimum_of_a_parabola(rate):
    problem = parabola()
    state, status, _ = run(nesterov(problem, 5, rate=rate, max_iter=10_000), counted())
    assert status is Status.CONVERGED
    np.testing.assert_allclose(state.parameters, np.linalg.solve(problem.A, problem.c), atol=1e-7)


@pytest.mark.parametrize("problem", [parabola(n_parameters=6, l1=6.0), logistic(l1=0.03)])
def test_with_l1_the_slope_is_balanced(problem):
    state, status, _ = run(nesterov(problem, 6), counted())
    assert status is Status.CONVERGED
    slope = problem.evaluate(state.parameters, counted()).gradient
    on = state.parameters != 0
    assert 0 < on.sum() < 6
    np.testing.assert_allclose(slope[on], -problem.l1 * np.sign(state.parameters[on]), atol=1e-7)
    assert np.all(np.abs(slope[~on]) <= problem.l1)


def test_is_faster_than_gradient_descent():
    problem = parabola(n_parameters=30, condition=2000.0)
    fast, status, _ = run(nesterov(problem, 30, rate=1 / 2000, tol=1e-4), counted())
    slow = GradientDescent(problem, np.zeros(30), 100_000, 1e-4, 1 / 2000)
    assert status is Status.CONVERGED
    assert run(slow, counted())[0].n_iter > 10 * fast.n_iter


def test_a_step_is_one_pass():
    passes = []
    state, _, _ = run(nesterov(parabola(), 5, rate=1 / 20), counted(passes))
    assert len(passes) == state.n_iter + 1
