"""Steps of Lloyd's algorithm."""

from functools import partial

import numpy as np
import pytest
from scipy import sparse
from tests.statistics.rows import blobs, fold, weights

from shoal import open_dataset
from shoal.cluster.summary import summarize
from shoal.solvers.driver import run
from shoal.solvers.lloyd import Lloyd, unit_rows
from shoal.solvers.solver import Status
from shoal.statistics.nearest_center import nearest_center
from shoal.testing import check_solver


def one_fold(dataset, statistic):
    return fold(statistic, dataset)


def lloyd(X, centers, *, weight=None, max_iter=50, tolerance=0.0, bounds=True, spherical=False):
    """A solver from given centres, and its fold."""
    dataset = open_dataset(X, sample_weight=weight)
    if spherical:
        dataset = dataset.with_unit_rows()
    a_fold = partial(one_fold, dataset)
    centers = np.asarray(centers, dtype=dataset.dtype)
    solver = Lloyd(
        lambda fold: centers,
        summarize(dataset, a_fold),
        max_iter,
        tolerance,
        bounds and not sparse.issparse(X),
        spherical,
    )
    return solver, a_fold


def inertia(X, centers, weight=None):
    centers = np.asarray(centers, dtype=np.float64)
    squares = ((X.astype(np.float64)[:, None] - centers) ** 2).sum(axis=2).min(axis=1)
    return squares @ (np.ones(len(X)) if weight is None else weight)


@pytest.mark.parametrize(
    "options", [{}, {"bounds": False}, {"weight": weights()}, {"spherical": True}], ids=str
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_promises_of_a_solver(dtype, options):
    X = blobs(dtype=dtype) + dtype(2)
    check_solver(*lloyd(X, X[:4], max_iter=7, **options))


def test_keeps_them_where_clusters_are_empty():
    X = blobs(offset=100)
    check_solver(*lloyd(X, [X[0], X[1], [-1e4] * 3, [-2e4] * 3], max_iter=6))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_a_step_moves_each_centre_to_the_mean_of_its_rows(form, weighted):
    X, weight = blobs(), weights() if weighted else None
    solver, a_fold = lloyd(form(X), X[:4], weight=weight)
    state = solver.step(solver.init(a_fold), a_fold)
    labels, _ = nearest_center(X, X[:4].copy(), np.zeros(3))
    for j in range(4):
        held = None if weight is None else weight[labels == j]
        mean = np.average(X[labels == j], axis=0, weights=held)
        np.testing.assert_allclose(state.centers[j], mean, rtol=1e-13, atol=1e-14)
    assert state.squared_shift == pytest.approx(((state.centers - X[:4]) ** 2).sum(), rel=1e-14)
    assert state.n_iter == 1


@pytest.mark.parametrize(("dtype", "offset"), [(np.float32, 0), (np.float64, 0), (np.float64, 1e6)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_the_loss_is_the_inertia_before_the_step(form, weighted, dtype, offset):
    if offset and form is sparse.csr_array:
        offset = 10  # sparse rows are not centred: an offset costs digits
    X = blobs(dtype=dtype, offset=offset)
    weight = weights() if weighted else None
    solver, a_fold = lloyd(form(X), X[:4], weight=weight, max_iter=4)
    state = solver.init(a_fold)
    assert state.loss is None
    for _ in range(4):
        before, state = state, solver.step(state, a_fold)
        assert state.loss == pytest.approx(inertia(X, before.centers, weight), rel=1e-9)


def test_the_loss_never_rises():
    X = blobs(150, 3, seed=5)
    _, status, curve = run(*lloyd(X, X[:6]))
    assert status is Status.CONVERGED
    assert len(curve) > 5
    assert (np.diff(curve) <= 1e-12 * curve[0]).all()


def test_the_loss_of_unit_rows_is_a_sum_of_cosine_distances():
    X = np.abs(blobs()) + 0.1
    solver, a_fold = lloyd(X, X[:3], spherical=True)
    state = solver.init(a_fold)
    np.testing.assert_allclose(state.centers, unit_rows(X[:3]), rtol=1e-15)
    after = solver.step(state, a_fold)
    cosines = unit_rows(X) @ state.centers.T
    assert after.loss == pytest.approx((1 - cosines.max(axis=1)).sum(), rel=1e-9)
    np.testing.assert_allclose(np.linalg.norm(after.centers, axis=1), 1, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_drift_is_no_less_than_how_far_centres_moved(dtype):
    X = blobs(dtype=dtype, offset=50)
    solver, a_fold = lloyd(X, X[:4])
    state = solver.init(a_fold)
    for _ in range(5):
        before, state = state, solver.step(state, a_fold)
        exact = state.centers.astype(np.longdouble) - before.centers.astype(np.longdouble)
        lengths = np.sqrt((exact**2).sum(axis=1))
        assert (state.drift >= lengths).all()
        assert (state.drift <= lengths * (1 + 1e-8)).all()


def test_ends_by_tolerance_or_by_max_iter():
    X = blobs(seed=5)
    still, status, _ = run(*lloyd(X, X[:6]))
    assert (status, still.squared_shift) == (Status.CONVERGED, 0.0)
    early, status, _ = run(*lloyd(X, X[:6], tolerance=0.05))
    assert status is Status.CONVERGED
    assert early.n_iter < still.n_iter
    assert 0 < early.squared_shift <= 0.05
    cut, status, _ = run(*lloyd(X, X[:6], max_iter=2))
    assert (status, cut.n_iter) == (Status.MAX_ITER, 2)


def test_a_step_without_a_new_label_moves_nothing():
    X = blobs(dtype=np.float32, offset=1e5)
    solver, a_fold = lloyd(X, X[:4])
    state, _, _ = run(solver, a_fold)
    again = solver.step(state, a_fold)
    assert again.centers.tobytes() == state.centers.tobytes()


# Empty clusters.


def test_an_empty_cluster_gets_the_farthest_row():
    X = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [40.0]])
    solver, a_fold = lloyd(X, [[1.0], [12.0], [-500.0]])
    state = solver.step(solver.init(a_fold), a_fold)
    np.testing.assert_allclose(state.centers.ravel(), [1.0, 10.5, 40.0], rtol=1e-14)


def test_several_get_rows_by_falling_distance_ties_by_row_number():
    X = np.array([[0.0], [5.0], [-5.0], [3.0], [0.0], [-9.0]])
    solver, a_fold = lloyd(X, [[0.0], [100.0], [200.0], [300.0]])
    state = solver.step(solver.init(a_fold), a_fold)
    np.testing.assert_allclose(state.centers.ravel(), [1.0, -9.0, 5.0, -5.0], rtol=1e-14)


def test_a_row_takes_its_weight_with_it():
    X, weight = np.array([[0.0], [4.0], [10.0]]), np.array([3.0, 1.0, 0.5])
    solver, a_fold = lloyd(X, [[0.0], [99.0]], weight=weight)
    state = solver.step(solver.init(a_fold), a_fold)
    np.testing.assert_allclose(state.centers.ravel(), [1.0, 10.0], rtol=1e-14)


def test_no_cluster_is_emptied_to_fill_another():
    X = np.array([[0.0], [0.5], [50.0]])
    solver, a_fold = lloyd(X, [[0.0], [40.0], [-900.0]])
    state = solver.step(solver.init(a_fold), a_fold)
    # The farthest row is the only one of its cluster: the empty cluster stays where it is.
    np.testing.assert_allclose(state.centers.ravel(), [0.25, 50.0, -900.0], rtol=1e-14)
    following = solver.step(state, a_fold)
    np.testing.assert_allclose(np.sort(following.centers.ravel()), [0.0, 0.5, 50.0], atol=1e-14)


def test_rows_on_their_centres_are_not_moved():
    X = np.repeat([[0.0], [1.0]], 3, axis=0)
    solver, a_fold = lloyd(X, [[0.0], [1.0], [70.0]])
    state, status, _ = run(solver, a_fold)
    np.testing.assert_array_equal(state.centers.ravel(), [0.0, 1.0, 70.0])
    assert status is Status.CONVERGED


def test_rows_of_weight_0_fill_no_cluster():
    X, weight = np.array([[0.0], [1.0], [1e3]]), np.array([1.0, 1.0, 0.0])
    solver, a_fold = lloyd(X, [[0.4], [1e4]], weight=weight)
    state = solver.step(solver.init(a_fold), a_fold)
    np.testing.assert_allclose(np.sort(state.centers.ravel()), [0.0, 1.0], atol=1e-15)


def test_rows_that_cancel_leave_their_centre_on_the_sphere():
    X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    solver, a_fold = lloyd(X, [[0.0, -1.0], [0.0, 1.0]], spherical=True)
    state = solver.step(solver.init(a_fold), a_fold)
    np.testing.assert_allclose(np.linalg.norm(state.centers, axis=1), 1)


def test_unit_rows_leaves_zeros():
    np.testing.assert_array_equal(unit_rows(np.array([[3.0, 4], [0, 0]])), [[0.6, 0.8], [0, 0]])
    assert unit_rows(np.ones((1, 2), dtype=np.float32)).dtype == np.float32
