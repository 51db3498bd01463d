"""L-BFGS against closed forms, Newton's method, and a count of passes."""

from dataclasses import replace

import numpy as np
import pytest
from tests.solvers.objectives import Quadratic, counted, logistic, parabola

from shoal.solvers.driver import run
from shoal.solvers.lbfgs import (
    FIRST_HESSIAN,
    LBFGS,
    MOST_PARAMETERS,
    PARAMETERS_A_STEP,
)
from shoal.solvers.newton import Newton
from shoal.solvers.solver import Status
from shoal.testing import check_solver


def lbfgs(objective, n_parameters=6, *, max_iter=200, tol=1e-8):
    return LBFGS(objective, np.zeros(n_parameters), max_iter, tol)


@pytest.mark.parametrize("problem", [parabola(n_parameters=6), logistic()])
def test_conformance(problem):
    check_solver(lbfgs(problem), counted())


def test_minimum_of_a_parabola():
    problem = parabola(n_parameters=6)
    state, status, _ = run(lbfgs(problem), counted())
    assert status is Status.CONVERGED
    np.testing.assert_allclose(state.parameters, np.linalg.solve(problem.A, problem.c), atol=1e-8)


def test_a_logistic_regression_takes_a_dozen_passes():
    problem, passes = logistic(n_rows=2000, n_features=30), []
    state, status, _ = run(lbfgs(problem, 30, tol=1e-5), counted(passes))
    exact, _, _ = run(Newton(problem, np.zeros(30), 50, 1e-12), counted())
    assert status is Status.CONVERGED
    assert state.value <= exact.value * (1 + 1e-6)
    assert len(passes) <= state.n_iter + 2
    assert len(passes) <= 25


def test_curvatures_of_many_orders():
    problem = Quadratic(np.diag([1e-4, 1.0, 1e4]), np.array([1e-3, 1.0, 1.0]))
    state, _, _ = run(lbfgs(problem, 3, max_iter=500, tol=1e-10), counted())
    np.testing.assert_allclose(state.parameters, [10, 1, 1e-4], rtol=1e-5)


def test_without_tolerance_it_ends_where_values_end_to_differ():
    problem = logistic()
    state, status, _ = run(lbfgs(problem, max_iter=10_000, tol=0.0), counted())
    assert status is Status.CONVERGED
    assert np.abs(state.gradient).max() < 1e-9


def test_ends_at_max_iter():
    state, status, curve = run(lbfgs(logistic(), max_iter=2), counted())
    assert (status, state.n_iter, len(curve)) == (Status.MAX_ITER, 2, 2)


def test_no_curvature_to_learn_from():
    slope = Quadratic(np.zeros((2, 2)), np.array([1.0, -1.0]))
    state, status, _ = run(lbfgs(slope, 2, max_iter=5), counted())
    assert status is Status.MAX_ITER
    np.testing.assert_array_equal(state.parameters, [5, -5])


def test_dependent_columns_end_soon_after_the_hessian_is_looked_at():
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((30, 30)) * np.logspace(0, -3, 30)
    A = mixed @ mixed.T
    looks = []

    class Counts(Quadratic):
        def evaluate_hessian(self, parameters, fold):
            looks.append(parameters)
            return super().evaluate_hessian(parameters, fold)

    state, status, _ = run(lbfgs(Counts(A, A @ np.ones(30)), 30, tol=1e-6), counted())
    assert status is Status.CONVERGED
    assert len(looks) == 1
    assert FIRST_HESSIAN < state.n_iter <= FIRST_HESSIAN + 3
    np.testing.assert_allclose(state.parameters, np.ones(30), atol=0.1)


def test_the_hessian_of_many_parameters_is_left_alone():
    n_parameters = MOST_PARAMETERS + 1
    problem = Quadratic(np.diag(np.logspace(0, -4, n_parameters)), np.ones(n_parameters))
    solver = lbfgs(problem, n_parameters, max_iter=FIRST_HESSIAN * n_parameters)
    first = max(FIRST_HESSIAN, n_parameters // PARAMETERS_A_STEP)
    state = replace(solver.init(counted()), n_iter=first)
    assert not len(solver.step(state, counted()).inverse_hessian)
