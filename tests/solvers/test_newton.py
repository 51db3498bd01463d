"""Newton's method against closed forms and quadratic convergence."""

import numpy as np
import pytest
from tests.solvers.objectives import Logistic, Quadratic, counted, logistic, parabola

from shoal.solvers.driver import run
from shoal.solvers.newton import Newton
from shoal.solvers.objective import Evaluation
from shoal.solvers.solver import Status
from shoal.testing import check_solver


def newton(objective, n_parameters=6, *, max_iter=50, tol=1e-10):
    return Newton(objective, np.zeros(n_parameters), max_iter, tol)


@pytest.mark.parametrize("problem", [parabola(n_parameters=6), logistic()])
def test_conformance(problem):
    check_solver(newton(problem), counted())


def test_a_parabola_is_one_step():
    problem, passes = parabola(n_parameters=6), []
    state, status, _ = run(newton(problem), counted(passes))
    assert (status, state.n_iter, len(passes)) == (Status.CONVERGED, 1, 2)
    np.testing.assert_allclose(state.parameters, np.linalg.solve(problem.A, problem.c), rtol=1e-11)


def test_a_logistic_regression_is_a_few_steps():
    passes = []
    state, status, _ = run(newton(logistic()), counted(passes))
    assert status is Status.CONVERGED
    assert state.n_iter <= 9
    assert len(passes) == state.n_iter + 1


def test_collinear_columns_share_their_weight():
    problem = logistic(alpha=0.0)
    twice = Logistic(np.hstack([problem.X, problem.X]), problem.y)
    state, status, _ = run(newton(twice, 12, tol=1e-9), counted())
    single, _, _ = run(newton(problem), counted())
    assert status is Status.CONVERGED
    np.testing.assert_allclose(state.parameters, np.tile(single.parameters, 2) / 2, rtol=1e-6)


def test_nothing_goes_down():
    class Liar(Quadratic):
        """Its gradient points the wrong way."""

        def evaluate_hessian(self, parameters, fold):
            found = super().evaluate_hessian(parameters, fold)
            return Evaluation(found.value, -found.gradient, found.hessian)

    state, status, _ = run(newton(Liar(np.eye(2), np.ones(2)), 2), counted())
    assert status is Status.CONVERGED
    assert state.stalled
    np.testing.assert_array_equal(state.parameters, 0)


def test_an_objective_without_a_hessian():
    class Mute(Quadratic):
        def evaluate_hessian(self, parameters, fold):
            return self.evaluate(parameters, fold)

    with pytest.raises(TypeError, match="no Hessian"):
        run(newton(Mute(np.eye(2), np.ones(2)), 2), counted())
