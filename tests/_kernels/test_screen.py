"""The quantised tile may only decide what the difference form in double precision decides alike."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests._kernels.reference import Array, blobs
from tests._kernels.test_bounds import run_steps

from shoal import _kernels


def assign(kernels: ModuleType, X: Array, centers: Array, shift: Array) -> Array:
    labels = np.full(len(X), -1, np.int32)
    kernels.assign(X, centers, shift, labels)
    return labels


def check_labels(kernels: ModuleType, X: Array, centers: Array, shift: Array | None = None) -> None:
    """float64 has no quantised tile, and the same distances of float32 values to the last bit."""
    assert len(centers) >= 16, "too few for the quantised tile"
    assert centers.size >= 256, "too few for the quantised tile"
    shift = X.mean(axis=0, dtype=np.float64) if shift is None else shift
    expected = assign(kernels, X.astype(np.float64), centers.astype(np.float64), shift)
    np.testing.assert_array_equal(assign(kernels, X, centers, shift), expected)


def between(rng: np.random.Generator, n: int, centers: Array) -> Array:
    """Rows near the middle of two centres, some by less than any rounding."""
    first, second = rng.integers(len(centers), size=(2, n))
    away = 10.0 ** rng.uniform(-9, -1, size=(n, 1)) * rng.choice([-1, 1], size=(n, 1))
    middle = (centers[first].astype(np.float64) + centers[second]) / 2
    return (middle + away * (centers[first] - centers[second])).astype(np.float32)


@pytest.mark.parametrize(
    ("d", "k"),
    [(1, 1000), (2, 500), (7, 150), (16, 16), (16, 32), (64, 16), (65, 33), (300, 20)],
)
def test_rows_between_two_centres(
    kernels: ModuleType, rng: np.random.Generator, d: int, k: int
) -> None:
    centers = rng.normal(size=(k, d)).astype(np.float32)
    check_labels(kernels, between(rng, 1500, centers), centers)
    # Few and far apart from the origin: a row is long, and its centres differ little.
    check_labels(kernels, between(rng, 500, centers + 30), centers + 30, np.zeros(d))


@pytest.mark.parametrize(
    ("n", "d", "k"),
    [
        (50, 1, 3000),
        (30, 1, (1 << 18) + 1),
        (30, 3, 3001),
        (40, 2000, 16),
        (20, 1999, 17),
        (500, 31, 17),
        (3000, 33, 40),
    ],
)
def test_shapes(kernels: ModuleType, rng: np.random.Generator, n: int, d: int, k: int) -> None:
    X, centers = blobs(rng, n, d, k)
    check_labels(kernels, X, centers)
    check_labels(kernels, np.asfortranarray(X), centers)
    check_labels(kernels, X[::-1], centers)


@pytest.mark.parametrize("scale", [1e-44, 1e-38, 1e-19, 1e-13, 1e-12, 1e-5, 1e11, 1e12, 1e18, 1e30])
def test_magnitudes(kernels: ModuleType, rng: np.random.Generator, scale: float) -> None:
    X, centers = blobs(rng, 200, 50, 20, np.float64)
    X, centers = (X * scale).astype(np.float32), (centers * scale).astype(np.float32)
    for shift in (None, np.zeros(50)):
        check_labels(kernels, X, centers, shift)
    check_labels(kernels, X * np.float32(1e-9), centers)


def test_outliers_beside_common_rows(kernels: ModuleType, rng: np.random.Generator) -> None:
    X, centers = blobs(rng, 2000, 40, 30)
    X[rng.random(2000) < 0.1] *= np.float32(1e4)
    X[rng.random(2000) < 0.1] *= np.float32(1e-6)
    X[::97] *= np.float32(1e22)
    check_labels(kernels, X, centers, np.zeros(40))


def test_rows_longer_than_those_that_the_units_are_chosen_by(
    kernels: ModuleType, rng: np.random.Generator
) -> None:
    X, centers = blobs(rng, 2000, 40, 30)
    longer = np.arange(2000) % 20 > 0
    X[longer] *= rng.choice([1.0, 1.5, 2.0, 300.0], size=(longer.sum(), 1)).astype(np.float32)
    check_labels(kernels, X, centers, np.zeros(40))
    check_labels(kernels, np.asfortranarray(X), centers, np.zeros(40))


def test_rows_that_are_not_finite(kernels: ModuleType, rng: np.random.Generator) -> None:
    X, centers = blobs(rng, 300, 40, 30)
    X[::7, 3], X[::11, 4], X[::13, 5] = np.inf, -np.inf, np.nan
    check_labels(kernels, X, centers, np.zeros(40))


def test_rows_at_the_shift(kernels: ModuleType, rng: np.random.Generator) -> None:
    X, centers = blobs(rng, 300, 40, 30)
    X[::3] = 0
    check_labels(kernels, X, centers, np.zeros(40))


def test_centres_that_are_all_alike(kernels: ModuleType, rng: np.random.Generator) -> None:
    X, _ = blobs(rng, 300, 40, 30)
    same = np.broadcast_to(X[0], (30, 40)).copy()
    check_labels(kernels, X, same)
    check_labels(kernels, X, same, X[0].astype(np.float64))


def test_ties_and_columns_far_from_the_origin(
    kernels: ModuleType, rng: np.random.Generator
) -> None:
    X = rng.integers(-2, 3, size=(1000, 30)).astype(np.float32)
    centers = rng.integers(-2, 3, size=(40, 30)).astype(np.float32)
    centers[20:] = centers[19::-1]
    check_labels(kernels, X, centers)
    check_labels(kernels, X + np.float32(1e6), centers + np.float32(1e6))
    check_labels(kernels, X + np.float32(1e6), centers + np.float32(1e6), np.zeros(30))


def test_rows_it_cannot_decide_between_rows_it_can(
    kernels: ModuleType, rng: np.random.Generator
) -> None:
    """Where most rows are close it is not taken, and is tried again later."""
    clear, centers = blobs(rng, 4000, 50, 20)
    close = between(rng, 5000, centers[:2])
    close[::2] = (centers[0] + centers[1]) / 2
    check_labels(kernels, np.vstack([clear, close, clear, close, clear]), centers)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 150),
    d=st.integers(1, 80),
    more=st.integers(0, 20),
    levels=st.sampled_from([2, 64, 1 << 30]),
    offset=st.sampled_from([0.0, 1.0, 1e3, 1e6]),
    scale=st.sampled_from([1e-30, 1e-12, 1e-3, 1.0, 1e5, 1e13]),
    seed=st.integers(0, 2**32 - 1),
    instruction_set=st.sampled_from(_kernels.available_instruction_sets()),
)
def test_labels_are_those_of_the_definition(
    n: int,
    d: int,
    more: int,
    levels: int,
    offset: float,
    scale: float,
    seed: int,
    instruction_set: str,
) -> None:
    rng = np.random.default_rng(seed)
    k = max(16, -(-256 // d)) + more
    X = ((rng.integers(levels, size=(n, d)) / levels + offset) * scale).astype(np.float32)
    centers = ((rng.integers(levels, size=(k, d)) / levels + offset) * scale).astype(np.float32)
    kernels = _kernels.load(instruction_set)
    check_labels(kernels, X, centers)
    check_labels(kernels, between(rng, n, centers), centers)


@settings(max_examples=30, deadline=None)
@given(
    d=st.integers(8, 70),
    offset=st.sampled_from([0.0, 1e3]),
    step=st.sampled_from([1e-6, 1e-3, 1e-1, 1.0]),
    seed=st.integers(0, 2**32 - 1),
    instruction_set=st.sampled_from(_kernels.available_instruction_sets()),
)
def test_bounds_hold(d: int, offset: float, step: float, seed: int, instruction_set: str) -> None:
    rng = np.random.default_rng(seed)
    k = max(16, -(-256 // d))
    centers = (rng.normal(size=(k, d)) + offset).astype(np.float32)
    X = np.vstack([between(rng, 40, centers), centers[rng.integers(k, size=40)]])
    X += np.float32(step) * rng.normal(size=X.shape).astype(np.float32)
    path = [centers]
    for _ in range(4):
        moves = step * rng.normal(size=(k, d)) * rng.integers(2, size=(k, 1))
        path.append((path[-1] + moves).astype(np.float32))
    run_steps(_kernels.load(instruction_set), X, path)
