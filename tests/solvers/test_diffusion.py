"""Diffusion against its closed form."""

import numpy as np
import pytest
from scipy import sparse
from tests.solvers.objectives import counted

from shoal.semi_supervised.graph_model import spread
from shoal.solvers.diffusion import Diffusion
from shoal.solvers.driver import run
from shoal.solvers.solver import Status
from shoal.testing import check_solver


def problem(max_iter=1000, tol=1e-12, kind=np.asarray):
    generator = np.random.default_rng(0)
    S = generator.random((12, 12)) * (generator.random((12, 12)) < 0.4)
    S /= np.abs(np.linalg.eigvals(S)).max()
    Y = generator.normal(size=(12, 3))
    return S, Y, Diffusion(kind(S), Y, spread(0.7, Y), max_iter, tol)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_limit(kind):
    S, Y, solver = problem(kind=kind)
    state, status, _ = run(solver, counted())
    assert status is Status.CONVERGED
    assert state.change < 1e-12
    expected = 0.3 * np.linalg.solve(np.eye(12) - 0.7 * S, Y)
    np.testing.assert_allclose(state.values, expected, atol=1e-11)


def test_steps():
    S, Y, solver = problem(max_iter=2)
    state, status, _ = run(solver, counted())
    first = 0.7 * S @ Y + 0.3 * Y
    second = 0.7 * S @ first + 0.3 * Y
    assert status is Status.MAX_ITER
    assert state.n_iter == 2
    np.testing.assert_allclose(state.values, second, rtol=1e-13, atol=1e-13)
    assert state.change == pytest.approx(np.abs(second - first).sum())


def test_conformance():
    check_solver(problem(max_iter=9)[2], counted())
