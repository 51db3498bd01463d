from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests._kernels.reference import Array, blobs, nearest, squared_distances

from shoal import _kernels

DTYPES = (np.float32, np.float64)
STRIDES = {
    "C": lambda X: X,
    "Fortran": np.asfortranarray,
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "columns of a wider table": lambda X: np.hstack([X, X])[:, : X.shape[1]],
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "columns of a wider Fortran table": lambda X: np.asfortranarray(np.vstack([X, X]))[: len(X)],
    "reversed rows": lambda X: X[::-1].copy()[::-1],
    "reversed columns": lambda X: X[:, ::-1].copy()[:, ::-1],
    "one row repeated": lambda X: np.broadcast_to(X[:1], X.shape),
}


def assign(kernels: ModuleType, X: Array, centers: Array, shift: Array | None = None) -> Array:
    labels = np.full(len(X), -1, np.int32)
    shift = X.mean(axis=0, dtype=np.float64) if shift is None else shift
    kernels.assign(X, centers, shift, labels)
    return labels


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 23, 24, 25, 100])
@pytest.mark.parametrize("d", [1, 2, 7, 8, 9, 16, 17, 40])
def test_labels_and_distances_are_those_of_the_definition(
    kernels: ModuleType, rng: np.random.Generator, n: int, d: int, dtype: type
) -> None:
    for k in (1, 2, 3, 4, 5, 8, 9, 17):
        X, centers = blobs(rng, n, d, k, dtype)
        labels, distances = np.empty(n, np.int32), np.empty(n)
        kernels.assign(X, centers, np.zeros(d), labels, distances)
        expected = squared_distances(X, centers)
        np.testing.assert_array_equal(labels, expected.argmin(axis=1))
        np.testing.assert_allclose(distances, expected.min(axis=1), rtol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("n", "d", "k"),
    [
        (5000, 5, 70),
        (60, 300, 30),
        (50, 129, 2500),
        (30, 10_000, 11),
        (20, 3, 5000),
        (2400, 257, 9),
    ],
)
def test_shapes_that_cross_the_blocking_boundaries(
    rng: np.random.Generator, n: int, d: int, k: int, dtype: type
) -> None:
    X, centers = blobs(rng, n, d, k, dtype)
    expected = nearest(X, centers)
    for instruction_set in _kernels.available_instruction_sets()[-2:]:
        if instruction_set != "generic" or n * d * k < 2_000_000:
            labels = assign(_kernels.load(instruction_set), X, centers)
            np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", STRIDES)
def test_any_strides(
    kernels: ModuleType, rng: np.random.Generator, layout: str, dtype: type
) -> None:
    for d in (3, 19):
        X, centers = blobs(rng, 75, d, 6, dtype)
        X = STRIDES[layout](X)
        np.testing.assert_array_equal(assign(kernels, X, centers), nearest(X, centers))


def test_no_rows_and_no_features(kernels: ModuleType) -> None:
    assert assign(kernels, np.empty((0, 3)), np.ones((2, 3)), np.zeros(3)).size == 0
    with pytest.raises(ValueError, match="X has no columns"):
        assign(kernels, np.empty((5, 0)), np.ones((2, 0)), np.zeros(0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_the_lowest_centre(
    kernels: ModuleType, rng: np.random.Generator, dtype: type
) -> None:
    X = rng.integers(-2, 3, size=(400, 4)).astype(dtype)
    centers = rng.integers(-2, 3, size=(40, 4)).astype(dtype)
    centers[20:] = centers[19::-1]
    np.testing.assert_array_equal(assign(kernels, X, centers), nearest(X, centers))


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_far_from_the_origin(
    kernels: ModuleType, rng: np.random.Generator, dtype: type
) -> None:
    X, centers = blobs(rng, 500, 12, 20, np.float64)
    X, centers = (X + 1e6).astype(dtype), (centers + 1e6).astype(dtype)
    expected = nearest(X, centers)
    np.testing.assert_array_equal(assign(kernels, X, centers), expected)
    np.testing.assert_array_equal(assign(kernels, X, centers, np.zeros(12)), expected)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.float32, s) for s in (1e-44, 1e-38, 1e-25, 1e-22, 1e-19, 1e18, 1e19, 1e30)]
    + [(np.float64, s) for s in (1e-320, 1e-170, 1e-161, 1e-154, 1e150, 1e153, 1e200)],
)
def test_magnitudes_whose_squares_leave_the_type(
    kernels: ModuleType, rng: np.random.Generator, dtype: type, scale: float
) -> None:
    X, centers = blobs(rng, 100, 6, 9, np.float64)
    X, centers = (X * scale).astype(dtype), (centers * scale).astype(dtype)
    for shift in (None, np.zeros(6)):
        np.testing.assert_array_equal(assign(kernels, X, centers, shift), nearest(X, centers))


def test_a_near_centre_whose_own_norm_overflows(kernels: ModuleType) -> None:
    X, centers = np.full((1, 1), 1.5e19, "f4"), np.array([[0.0], [2.7e19]], "f4")
    assert assign(kernels, X, centers, np.zeros(1)).tolist() == [1]


def test_magnitudes_mixed_in_one_call(kernels: ModuleType, rng: np.random.Generator) -> None:
    X, centers = blobs(rng, 300, 6, 9)
    X *= 10.0 ** rng.integers(-38, 38, size=(300, 1), dtype=np.int8).astype(np.float32)
    centers *= np.float32(10.0) ** np.arange(-30, 33, 7, dtype=np.float32)[:, None]
    labels = assign(kernels, X, centers, np.zeros(6))
    np.testing.assert_array_equal(labels, nearest(X, centers))


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 120),
    d=st.integers(1, 40),
    k=st.integers(1, 25),
    levels=st.sampled_from([2, 64, 1 << 30]),
    dtype=st.sampled_from(DTYPES),
    cut=st.integers(0, 120),
    seed=st.integers(0, 2**32 - 1),
)
def test_bits_depend_on_nothing_but_the_row(
    n: int, d: int, k: int, levels: int, dtype: type, cut: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    X = (rng.integers(levels, size=(n, d)) / levels).astype(dtype)
    centers = (rng.integers(levels, size=(k, d)) / levels).astype(dtype)

    def run(kernels: ModuleType, X: Array) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        labels, distances = np.empty(len(X), np.int32), np.empty(len(X))
        kernels.assign(X, centers, np.full(d, 0.5), labels, distances)
        return labels, distances

    labels, distances = run(_kernels.load("generic"), X)
    np.testing.assert_array_equal(labels, nearest(X, centers))
    for instruction_set in _kernels.available_instruction_sets():
        kernels = _kernels.load(instruction_set)
        for rows in (slice(0, min(cut, n)), slice(min(cut, n), n)):
            again, measured = run(kernels, np.asfortranarray(X)[rows])
            np.testing.assert_array_equal(again, labels[rows])
            np.testing.assert_array_equal(measured, distances[rows])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"centers": np.empty((0, 3))}, ValueError),
        ({"centers": np.ones((2, 4))}, ValueError),
        ({"shift": np.zeros(2)}, ValueError),
        ({"labels": np.zeros(4, np.int32)}, ValueError),
        ({"distances": np.zeros(6)}, ValueError),
        ({"centers": np.ones((2, 3), np.float32)}, TypeError),
        ({"centers": np.ones((3, 2)).T}, TypeError),
        ({"labels": np.zeros(5, np.int64)}, TypeError),
        ({"X": np.ones((5, 3), int)}, TypeError),
        ({"X": np.ones(5)}, TypeError),
    ],
)
def test_mismatched_arguments_are_refused(
    kernels: ModuleType, change: dict[str, Array], error: type[Exception]
) -> None:
    arguments = {
        "X": np.ones((5, 3)),
        "centers": np.ones((2, 3)),
        "shift": np.zeros(3),
        "labels": np.full(5, -1, np.int32),
    }
    with pytest.raises(error):
        kernels.assign(**(arguments | change))
    np.testing.assert_array_equal(arguments["labels"], -1)
