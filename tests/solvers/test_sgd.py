"""Epochs: states, stopping, divergence."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests._kernels.test_sgd import learning

from shoal import LocalEngine, open_dataset
from shoal.exceptions import DataError, DivergenceError
from shoal.solvers.driver import run
from shoal.solvers.sgd import SGD
from shoal.solvers.sgd_replica import Weights, Windows
from shoal.solvers.solver import Status
from shoal.testing.solver import check_solver

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 4))
y = X @ [1.0, -2.0, 0.0, 3.0] + 0.1 * rng.normal(size=300)


@pytest.fixture
def made():
    """A solver for these rows, and a pass over them."""
    with LocalEngine(2) as engine:

        def make(how=None, X=X, weight=None, **settings):
            how = how or learning(rate=0.05)
            dataset = replace(open_dataset(X, target=y, sample_weight=weight), window_rows=64)
            start = Weights.zeros(np.zeros((1, X.shape[1])), np.zeros(1), how)
            windows = Windows(64, 16, 5)
            defaults = {"max_iter": 20, "tol": 1e-3, "n_iter_no_change": 3}
            map_cells = partial(engine.map_cells, dataset)
            solver = SGD(map_cells, how, windows, start, **(defaults | settings))
            return solver, partial(engine.fold, dataset)

        yield make


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_passes_the_suite(made, optimizer):
    how = learning(rate=0.05, l1=0.01, average_from=50.0, optimizer=optimizer)
    check_solver(*made(how, max_iter=4))


def test_ends_when_the_loss_no_longer_falls(made):
    state, status, curve = run(*made())
    assert status is Status.CONVERGED
    assert state.n_iter == len(curve)
    least = np.minimum.accumulate(curve)
    assert (curve[-3:] > least[-4] - 1e-3).all()
    np.testing.assert_allclose(state.coef[0], [1, -2, 0, 3], atol=0.05)


def test_an_adaptive_rate_is_divided_before_the_end(made):
    state, status, _ = run(*made(adaptive=True, max_iter=200))
    assert status is Status.CONVERGED
    assert 1e-7 < state.rate <= 1e-6


def test_what_is_validated_decides(made):
    losses = iter([3.0, 2.0, 2.5, 2.5, 2.5, 0.0])
    state, status, _ = run(*made(validate=lambda coef, intercept, fold: next(losses)))
    assert (status, state.n_iter, state.validation_loss) == (Status.CONVERGED, 5, 2.5)


def test_without_tolerance_all_epochs_are_made(made):
    _, status, curve = run(*made(tol=-np.inf))
    assert (status, len(curve)) == (Status.MAX_ITER, 20)


def test_divergence_names_rates(made):
    solver, fold = made(learning(rate=1e6, l2=1.0), X=1e100 * X, rate_name="eta0=1e6")
    with pytest.raises(DivergenceError, match=r"eta0=1e6 is too large.*eta0=\d"):
        run(solver, fold)


def test_the_advised_rate_does_not_diverge(made):
    wide = 100 * X
    solver, fold = made(learning(rate=0.01), X=wide)
    state = solver.step(solver.init(fold), fold)
    assert state.has_diverged
    rate = float(solver.advice(state.loss, fold).split("eta0=")[-1].split(")")[0])
    state, _, _ = run(*made(learning(rate=rate), X=wide))
    assert not state.has_diverged


def test_rows_without_weight_are_refused(made):
    with pytest.raises(DataError, match="weights are all zero"):
        run(*made(weight=np.zeros(300)))
