"""Gradient descent against the textbook loop."""

import numpy as np
import pytest
from tests.solvers.objectives import counted, logistic, parabola, soft

from shoal.exceptions import DivergenceError
from shoal.solvers.driver import run
from shoal.solvers.gradient_descent import GradientDescent, largest_curvature
from shoal.solvers.solver import Status
from shoal.testing import check_solver


def descent(objective, n_parameters=5, *, rate=0.05, max_iter=100, tol=1e-6, **options):
    return GradientDescent(objective, np.zeros(n_parameters), max_iter, tol, rate, **options)


@pytest.mark.parametrize("l1", [0.0, 2.0])
@pytest.mark.parametrize("backtracking", [False, True])
def test_conformance(l1, backtracking):
    check_solver(descent(parabola(l1=l1), max_iter=12, backtracking=backtracking), counted())


def test_is_the_textbook_loop_to_the_bit():
    problem = parabola()
    w, losses = np.zeros(5), []
    for _ in range(40):
        losses.append(w @ (problem.A @ w) / 2 - problem.c @ w)
        w = w - 0.05 * (problem.A @ w - problem.c)
    state, status, curve = run(descent(problem, max_iter=40, tol=0), counted())
    np.testing.assert_array_equal(state.parameters, w)
    np.testing.assert_allclose(curve, losses, rtol=1e-12)
    assert status is Status.MAX_ITER


def test_with_l1_is_the_proximal_loop():
    problem, w = parabola(l1=2.0), np.zeros(5)
    for _ in range(40):
        w = soft(w - 0.05 * (problem.A @ w - problem.c), 0.05 * 2.0)
    state, _, _ = run(descent(problem, max_iter=40, tol=0), counted())
    np.testing.assert_array_equal(state.parameters, w)


def test_ends_once_the_gradient_is_small():
    problem, passes = parabola(), []
    state, status, _ = run(descent(problem, max_iter=2000, tol=1e-3), counted(passes))
    assert status is Status.CONVERGED
    assert np.abs(problem.A @ state.parameters - problem.c).max() <= 1e-3
    assert len(passes) == state.n_iter + 1


@pytest.mark.parametrize("rate", [1e-3, 100.0])
def test_backtracking_needs_no_rate(rate):
    problem = parabola()
    solver = descent(problem, rate=rate, max_iter=300, tol=1e-6, backtracking=True)
    state, status, curve = run(solver, counted())
    assert status is Status.CONVERGED
    np.testing.assert_allclose(state.parameters, np.linalg.solve(problem.A, problem.c), atol=1e-6)
    assert np.all(np.diff(curve) <= 0)


def test_divergence_names_the_rate_and_one_that_works():
    problem = parabola(condition=50.0)
    with pytest.raises(DivergenceError, match=r"learning_rate=0\.05 .* 50: .* 0\.02 is safe"):
        run(descent(problem, rate=0.05, max_iter=10_000), counted())
    _, status, _ = run(descent(problem, rate=0.02, max_iter=10_000), counted())
    assert status is Status.CONVERGED


def test_a_rate_just_below_divergence_is_left_alone():
    _, status, _ = run(descent(parabola(), rate=0.0999, max_iter=10_000, tol=1e-3), counted())
    assert status is Status.CONVERGED


@pytest.mark.parametrize("seed", range(3))
def test_curvature(seed):
    problem = parabola(condition=30.0, seed=seed)
    found = largest_curvature(problem, np.ones(5), problem.c, counted())
    assert 27 <= found <= 30 * (1 + 1e-9)


def test_curvature_of_a_plane():
    problem = logistic(alpha=0.0)
    flat = type(problem)(problem.X * 0, problem.y)
    assert largest_curvature(flat, np.zeros(6), np.ones(6), counted()) == 0
