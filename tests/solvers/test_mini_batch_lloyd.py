"""Steps of mini-batch K-means."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.statistics.rows import blobs, fold, weights

from shoal import open_dataset
from shoal.cluster.summary import summarize
from shoal.solvers.driver import run
from shoal.solvers.mini_batch_lloyd import MiniBatch, MiniBatchLloyd
from shoal.solvers.solver import Status
from shoal.statistics.nearest_center import nearest_center
from shoal.testing import check_solver


def one_fold(dataset, statistic):
    return fold(statistic, dataset)


def mini_batch_lloyd(X, centers, *, weight=None, **options):
    """A solver from given centres, and its fold."""
    dataset = open_dataset(X, sample_weight=weight)
    if options.get("spherical"):
        dataset = dataset.with_unit_rows()
    a_fold = partial(one_fold, dataset)
    centers = np.array(centers, dtype=dataset.dtype)
    parameters = {
        "batch_size": 20,
        "pool_size": 60,
        "max_steps": 12,
        "tolerance": 0.0,
        "max_no_improvement": None,
        "reassignment_ratio": 0.0,
        "seed": 1,
        "purpose": 5,
    }
    solver = MiniBatchLloyd(
        lambda fold: centers, summarize(dataset, a_fold), **(parameters | options)
    )
    return solver, a_fold


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight": weights()},
        {"spherical": True},
        {"reassignment_ratio": 0.2},
        {"max_no_improvement": 2, "max_steps": 60},
        {"tolerance": 0.5, "max_steps": 60},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_promises_of_a_solver(dtype, options):
    X = blobs(dtype=dtype) + dtype(2)
    check_solver(*mini_batch_lloyd(X, X[:4], **options))


def followed(solver, a_fold, batches, state=None):
    state = state or solver.init(a_fold)
    for X, weight in batches:
        state = solver.follow(state, MiniBatch(X, weight))
    return state


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.booleans())
def test_centres_are_running_means_of_the_rows_they_met(sizes, weighted):
    """Against the definition: all rows that a centre ever was nearest to, averaged at once."""
    generator = np.random.default_rng(sum(sizes))
    batches = [
        (
            generator.normal(size=(size, 2)),
            generator.integers(0, 3, size).astype(float) if weighted else np.ones(size),
        )
        for size in sizes
    ]
    init = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    solver, a_fold = mini_batch_lloyd(np.concatenate([X for X, _ in batches]), init)
    state, met, held = solver.init(a_fold), [[], [], []], [[], [], []]
    for X, weight in batches:
        labels, _ = nearest_center(X, state.centers, np.zeros(2))
        for x, label, w in zip(X, labels, weight, strict=True):
            met[label].append(x)
            held[label].append(w)
        state = solver.follow(state, MiniBatch(X, weight))
    for j in range(3):
        expected = np.average(met[j], axis=0, weights=held[j]) if sum(held[j]) else init[j]
        np.testing.assert_allclose(state.centers[j], expected, rtol=1e-12, atol=1e-13)
        assert state.weights[j] == sum(held[j])


def test_a_batch_of_no_weight_changes_no_centre():
    X = blobs()
    solver, a_fold = mini_batch_lloyd(X, X[:4])
    state = followed(solver, a_fold, [(X, np.ones(len(X)))])
    after = followed(solver, a_fold, [(X, np.zeros(len(X)))], state)
    np.testing.assert_array_equal(after.centers, state.centers)
    np.testing.assert_array_equal(after.weights, state.weights)
    fresh = followed(solver, a_fold, [(X, np.zeros(len(X)))])
    np.testing.assert_array_equal(fresh.centers, X[:4])
    assert np.isfinite(followed(solver, a_fold, [(X, np.ones(len(X)))], fresh).centers).all()


def test_a_pass_takes_every_row_once_where_the_pool_holds_them():
    X = np.arange(60.0)[:, None]
    solver, a_fold = mini_batch_lloyd(X, [[0.0]], max_steps=100)
    state = solver.step(solver.init(a_fold), a_fold)
    assert (state.n_steps, state.n_iter, state.weights[0]) == (3, 1, 60)
    np.testing.assert_allclose(state.centers, [[X.mean()]])
    first, second = (solver.draw(60, number, a_fold).X.ravel().tolist() for number in (0, 1))
    assert first != second
    assert sorted(first) == sorted(second) == X.ravel().tolist()
    assert first != sorted(first)


def test_a_pass_takes_no_more_than_its_pool():
    X = blobs()
    solver, a_fold = mini_batch_lloyd(X, X[:4], pool_size=40, max_steps=100)
    state = solver.step(solver.init(a_fold), a_fold)
    assert (state.n_steps, state.weights.sum()) == (2, 40)


@pytest.mark.parametrize("max_steps", [1, 2, 3, 4, 7])
def test_ends_at_max_steps(max_steps):
    X = blobs()
    state, status, curve = run(*mini_batch_lloyd(X, X[:4], max_steps=max_steps))
    assert (state.n_steps, status) == (max_steps, Status.MAX_ITER)
    assert state.n_iter == -(-max_steps // 3)
    assert len(curve) <= state.n_iter


def test_ends_once_centres_move_less_than_the_tolerance():
    X = np.repeat([[0.0], [10.0]], 40, axis=0)
    state, status, _ = run(*mini_batch_lloyd(X, [[1.0], [9.0]], tolerance=1e-3, max_steps=100))
    assert (status, state.n_steps) == (Status.CONVERGED, 2)
    _, status, _ = run(*mini_batch_lloyd(X, [[1.0], [9.0]], tolerance=0.0, max_steps=100))
    assert status is Status.MAX_ITER


def test_ends_after_so_many_batches_without_improvement():
    X = np.repeat([[0.0], [10.0]], 40, axis=0)
    # The inertia is 0 from the second step on; the third is the first that lowers nothing.
    state, status, _ = run(
        *mini_batch_lloyd(X, [[1.0], [9.0]], max_no_improvement=4, max_steps=100)
    )
    assert (status, state.n_steps) == (Status.CONVERGED, 6)


def test_the_smoothed_inertia_is_an_exponential_average():
    X = blobs()
    solver, a_fold = mini_batch_lloyd(X, X[:4])
    state, expected = solver.init(a_fold), None
    share = 2 * 20 / 151
    for step, start in enumerate(range(0, 140, 20)):
        batch = MiniBatch(X[start : start + 20], np.full(20, 2.0))
        _, distances = nearest_center(batch.X, state.centers, np.zeros(3))
        inertia = 2 * distances.mean()
        state = solver.follow(state, batch)
        if step:
            expected = inertia if expected is None else (1 - share) * expected + share * inertia
        assert state.smoothed_inertia == (None if step == 0 else pytest.approx(expected, rel=1e-12))


@pytest.mark.parametrize("ratio", [0.01, 1.0, 5.0])
def test_centres_without_rows_are_moved_to_rows_of_the_batch(ratio):
    X = blobs(offset=100)
    solver, a_fold = mini_batch_lloyd(X, [X[0], [-1e4] * 3, [-2e4] * 3], reassignment_ratio=ratio)
    state = followed(solver, a_fold, [(X, np.ones(len(X)))])
    rows = {tuple(row) for row in X}
    assert tuple(state.centers[1]) in rows
    assert tuple(state.centers[2]) in rows
    assert tuple(state.centers[1]) != tuple(state.centers[2])
    np.testing.assert_array_equal(state.weights, [150, 150, 150])
    assert state.rows_since_reassignment == 0


def test_centres_are_not_moved_unless_it_is_due():
    X = blobs(offset=100)
    solver, a_fold = mini_batch_lloyd(X, X[:4], reassignment_ratio=0.9)
    state = replace(solver.init(a_fold), weights=np.array([1000.0, 1, 1, 1]))
    state = followed(solver, a_fold, [(X[:5], np.ones(5))], state)
    assert state.rows_since_reassignment == 5
    np.testing.assert_array_equal(state.weights.sum(), 1008)
    state = followed(solver, a_fold, [(X[:35], np.ones(35))], state)
    assert state.rows_since_reassignment == 0
    assert state.weights.min() > 1000


def test_at_most_half_a_batch_is_given_away():
    X = blobs(offset=100)
    init = [X[0], *(np.full(3, -1e4 * j) for j in range(1, 8))]
    solver, a_fold = mini_batch_lloyd(X, init, reassignment_ratio=0.5)
    state = followed(solver, a_fold, [(X[:6], np.ones(6))])
    assert (state.centers > -1e3).all(axis=1).sum() == 1 + 3


def test_nothing_is_moved_with_a_ratio_of_0():
    X = blobs(offset=100)
    solver, a_fold = mini_batch_lloyd(X, [X[0], [-1e4] * 3])
    state = followed(solver, a_fold, [(X, np.ones(len(X)))] * 3)
    np.testing.assert_array_equal(state.centers[1], [-1e4] * 3)
