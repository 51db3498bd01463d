from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests._kernels.reference import Array, blobs, nearest, squared_distances

from shoal import _kernels


def distances(X: Array, centers: Array) -> NDArray[np.longdouble]:
    """Distances with more digits than any bound has."""
    difference = X[:, None].astype(np.longdouble) - centers[None].astype(np.longdouble)
    return np.sqrt((difference**2).sum(axis=2))


def half_separation(centers: Array) -> NDArray[np.float64]:
    apart = distances(centers, centers)
    np.fill_diagonal(apart, np.inf)
    return np.nextafter((apart.min(axis=1) / 2).astype(np.float64), 0)


def check_bounds(
    exact: NDArray[np.longdouble], labels: Array, rivals: Array, bounds: Array
) -> None:
    """Those that are known: others have none on the rest."""
    rows, (upper, lower, rest) = np.arange(len(exact)), bounds
    known = rest > 0
    assert (exact[rows, labels] <= upper)[known].all()
    is_lone = labels == rivals
    assert (lower <= exact[rows, rivals])[known & ~is_lone].all()
    exact[rows, labels] = exact[rows, rivals] = np.inf
    assert (rest <= exact.min(axis=1)).all()


def run_steps(kernels: ModuleType, X: Array, path: list[Array]) -> list[int]:
    """Walks the centres along a path, checking labels and bounds; the number scanned a step."""
    n, shift = len(X), X.sum(axis=0, dtype=np.float64) / max(len(X), 1)
    labels, rivals = np.zeros(n, np.int32), np.zeros(n, np.int32)
    bounds, scanned, before = np.zeros((3, n), np.float32), [], path[0]
    for centers in path:
        drift = np.sqrt(((centers.astype(float) - before.astype(float)) ** 2).sum(axis=1))
        scanned.append(
            kernels.assign_bounded(
                X, centers, shift, labels, rivals, bounds, drift, half_separation(centers)
            )
        )
        expected = np.empty(n, np.int32)
        kernels.assign(X, centers, shift, expected)
        np.testing.assert_array_equal(labels, expected)
        check_bounds(distances(X, centers), labels, rivals, bounds)
        before = centers
    return scanned


@settings(max_examples=80, deadline=None)
@given(
    n=st.integers(0, 80),
    d=st.integers(1, 20),
    k=st.integers(1, 12),
    dtype=st.sampled_from([np.float32, np.float64]),
    levels=st.sampled_from([3, 40, 1 << 30]),
    offset=st.sampled_from([0.0, 1e3, 1e6]),
    step=st.sampled_from([1e-18, 1e-9, 1e-3, 1.0]),
    seed=st.integers(0, 2**32 - 1),
    instruction_set=st.sampled_from(_kernels.available_instruction_sets()),
)
def test_labels_are_those_of_assign_and_bounds_hold(
    n: int,
    d: int,
    k: int,
    dtype: type,
    levels: int,
    offset: float,
    step: float,
    seed: int,
    instruction_set: str,
) -> None:
    rng = np.random.default_rng(seed)
    X = (rng.integers(levels, size=(n, d)) / levels + offset).astype(dtype)
    path = [(rng.integers(levels, size=(k, d)) / levels + offset).astype(dtype)]
    for _ in range(5):
        moves = step * rng.normal(size=(k, d)) * rng.integers(2, size=(k, 1))
        path.append((path[-1] + moves).astype(dtype))
    run_steps(_kernels.load(instruction_set), X, path)


def test_settled_rows_are_not_scanned(kernels: ModuleType, rng: np.random.Generator) -> None:
    X, centers = blobs(rng, 500, 60, 40)
    path = [centers]
    for _ in range(4):
        labels = nearest(X, path[-1])
        means = [X[labels == j].mean(axis=0) if j in labels else path[-1][j] for j in range(40)]
        path.append(np.stack(means))
    scanned = run_steps(kernels, X, [*path, path[-1]])
    assert scanned[0] == 500
    assert scanned[-2] < 300
    assert scanned[-1] == 0


def test_rows_reopened_by_a_look_at_fast_centres(kernels: ModuleType) -> None:
    """A few centres leap towards rows: what they leave open is met out of order."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n, d, k = int(rng.integers(8, 16)), 40, 60
        path = [rng.normal(size=(k, d)).astype(np.float32)]
        X = (path[0][rng.integers(k, size=n)] + rng.normal(0, 0.5, (n, d))).astype(np.float32)
        for _ in range(6):
            fast, towards = rng.integers(k, size=3), X[rng.integers(n, size=3)]
            moves = np.zeros((k, d))
            moves[fast] = (towards - path[-1][fast]) * rng.uniform(0.2, 1, (3, 1))
            path.append((path[-1] + moves).astype(np.float32))
        run_steps(kernels, X, path)


def test_a_third_centre_comes_a_little_nearer_than_the_own(kernels: ModuleType) -> None:
    """Rows that lie beyond half the way to it belong to it, though two others are known to them."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, centers = blobs(rng, 200, 40, 30)
        X = (centers[nearest(X, centers)] + rng.normal(0, 0.3, X.shape)).astype(np.float32)
        path = [centers, centers]
        for row in rng.integers(len(X), size=4):
            own, third = nearest(X[[row]], path[-1])[0], rng.integers(30)
            moved = path[-1].copy()
            moved[third] = path[-1][own] + 1.96 * (X[row] - path[-1][own])
            path.append(moved)
        run_steps(kernels, X, path)


def test_many_tiny_moves_do_not_erode_the_bounds(kernels: ModuleType) -> None:
    X = np.array([[0.0], [1.0], [1e-8]])
    path = [np.array([[0.0], [1.0]]) + i * 1e-17 for i in range(300)]
    run_steps(kernels, X, path)


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1e18, 1e30, 1e37])
def test_extreme_magnitudes(kernels: ModuleType, rng: np.random.Generator, scale: float) -> None:
    X, centers = blobs(rng, 60, 3, 5, np.float64)
    path = [((centers + 0.1 * i) * scale).astype(np.float32) for i in range(4)]
    run_steps(kernels, (X * scale).astype(np.float32), path)


@pytest.mark.parametrize("name", ["labels", "rivals"])
@pytest.mark.parametrize("label", [-1, 2])
def test_labels_of_no_centre_are_refused(kernels: ModuleType, name: str, label: int) -> None:
    known = {key: np.zeros(2, np.int32) for key in ("labels", "rivals")}
    known[name][1] = label
    X, centers, bounds = np.array([[0.0], [3.0]]), np.array([[0.0], [3.0]]), np.zeros((3, 2), "f4")
    zeros = np.zeros(2)
    with pytest.raises(ValueError, match=f"{name} must lie in"):
        kernels.assign_bounded(
            X, centers, np.zeros(1), **known, bounds=bounds, drift=zeros, separation=zeros
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_separation_is_close_and_never_too_large(
    kernels: ModuleType, rng: np.random.Generator, dtype: type
) -> None:
    centers = blobs(rng, 60, 9, 50, dtype)[0] + dtype(1000)
    centers[7] = centers[3]
    separation, exact = kernels.pairwise_min_separation(centers), half_separation(centers)
    assert (separation <= exact).all()
    assert separation[3] == separation[7] == 0
    np.testing.assert_allclose(separation, exact, rtol=1e-3)


def test_a_lone_centre_is_far_from_any_other(kernels: ModuleType) -> None:
    assert kernels.pairwise_min_separation(np.ones((1, 3)))[0] > 1e38


def test_squared_overflow_bounds_nothing(kernels: ModuleType) -> None:
    X = np.array([[1e200], [-1e200]])
    path = [X.copy(), X.copy()]
    labels, rivals = np.zeros(2, np.int32), np.zeros(2, np.int32)
    bounds, zeros = np.zeros((3, 2), np.float32), np.zeros(2)
    for centers in path:
        kernels.assign_bounded(X, centers, np.zeros(1), labels, rivals, bounds, zeros, zeros)
        assert labels.tolist() == squared_distances(X, centers).argmin(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize("name", ["labels", "rivals", "bounds", "drift", "separation", "shift"])
def test_mismatched_lengths_are_refused(kernels: ModuleType, name: str) -> None:
    arguments = {
        "X": np.ones((5, 3)),
        "centers": np.ones((2, 3)),
        "shift": np.zeros(3),
        "labels": np.zeros(5, np.int32),
        "rivals": np.zeros(5, np.int32),
        "bounds": np.ones((3, 5), np.float32),
        "drift": np.zeros(2),
        "separation": np.zeros(2),
    }
    arguments[name] = np.resize(arguments[name], (*arguments[name].shape[:-1], 9))
    with pytest.raises(ValueError, match=name):
        kernels.assign_bounded(**arguments)
