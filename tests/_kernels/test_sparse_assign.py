from types import ModuleType

import numpy as np
import pytest
import scipy.sparse
from tests._kernels.reference import Array, nearest, squared_distances

DTYPES = (np.float32, np.float64)


def assign_csr(
    kernels: ModuleType, X: scipy.sparse.csr_array, centers: Array, index_dtype: type = np.int32
) -> tuple[Array, Array]:
    labels, distances = np.full(X.shape[0], -1, np.int32), np.full(X.shape[0], -1.0)
    kernels.assign_csr(
        X.data,
        X.indices.astype(index_dtype),
        X.indptr.astype(index_dtype),
        centers,
        labels,
        distances,
    )
    return labels, distances


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
@pytest.mark.parametrize(("n", "d", "k"), [(0, 3, 2), (1, 1, 1), (90, 40, 7), (40, 300, 130)])
def test_labels_and_distances_are_those_of_the_dense_rows(
    kernels: ModuleType,
    rng: np.random.Generator,
    n: int,
    d: int,
    k: int,
    dtype: type,
    index_dtype: type,
) -> None:
    X = scipy.sparse.random_array((n, d), density=0.1, rng=rng, dtype=dtype, format="csr")
    centers = (rng.normal(size=(k, d)) * (rng.random((k, d)) < 0.3)).astype(dtype)
    labels, distances = assign_csr(kernels, X, centers, index_dtype)
    dense_labels, dense_distances = np.empty(n, np.int32), np.empty(n)
    kernels.assign(X.toarray(), centers, np.zeros(d), dense_labels, dense_distances)
    np.testing.assert_array_equal(labels, nearest(X.toarray(), centers))
    np.testing.assert_array_equal(labels, dense_labels)
    np.testing.assert_array_equal(distances, dense_distances)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_the_lowest_centre(
    kernels: ModuleType, rng: np.random.Generator, dtype: type
) -> None:
    dense = rng.integers(-1, 2, size=(200, 5)).astype(dtype)
    dense[::7] = 0
    centers = rng.integers(-1, 2, size=(150, 5)).astype(dtype)
    labels, distances = assign_csr(kernels, scipy.sparse.csr_array(dense), centers)
    np.testing.assert_array_equal(labels, nearest(dense, centers))
    np.testing.assert_array_equal(distances, squared_distances(dense, centers).min(axis=1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_near_ties_are_decided_by_the_exact_distances(
    kernels: ModuleType, rng: np.random.Generator, dtype: type
) -> None:
    """Centres that hardly differ, far from the origin: scores of their type cannot tell them."""
    base = rng.uniform(500, 1500, size=12)
    apart = 1e3 * np.finfo(dtype).eps
    centers = (base * (1 + rng.uniform(-apart, apart, (20, 12)))).astype(dtype)
    dense = (base * (1 + rng.uniform(-apart, apart, (200, 12)))).astype(dtype)
    labels, _ = assign_csr(kernels, scipy.sparse.csr_array(dense), centers)
    np.testing.assert_array_equal(labels, nearest(dense, centers))


@pytest.mark.parametrize("scale", [1e-40, 1e-19, 1e19, 1e30])
def test_magnitudes_whose_squares_leave_the_type(
    kernels: ModuleType, rng: np.random.Generator, scale: float
) -> None:
    dense = (rng.normal(size=(60, 5)) * scale).astype(np.float32)
    centers = (rng.normal(size=(9, 5)) * scale).astype(np.float32)
    labels, _ = assign_csr(kernels, scipy.sparse.csr_array(dense), centers)
    np.testing.assert_array_equal(labels, nearest(dense, centers))


def test_distances_are_optional(kernels: ModuleType) -> None:
    X, centers = scipy.sparse.csr_array(np.eye(3)), np.eye(3)[::-1].copy()
    labels = np.empty(3, np.int32)
    kernels.assign_csr(X.data, X.indices, X.indptr, centers, labels)
    assert labels.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"indices": np.array([0, 3], np.int32)},
        {"indices": np.array([0, -1], np.int32)},
        {"indptr": np.array([0, 2, 1], np.int32)},
        {"indptr": np.array([0, 1, 3], np.int32)},
        {"indptr": np.array([], np.int32)},
        {"data": np.ones(3)},
        {"labels": np.zeros(3, np.int32)},
        {"distances": np.zeros(3)},
        {"centers": np.empty((0, 3))},
    ],
)
def test_malformed_matrices_are_refused(kernels: ModuleType, change: dict[str, Array]) -> None:
    arguments = {
        "data": np.ones(2),
        "indices": np.array([0, 2], np.int32),
        "indptr": np.array([0, 1, 2], np.int32),
        "centers": np.ones((2, 3)),
        "labels": np.full(2, -1, np.int32),
    }
    with pytest.raises(ValueError, match=r"indices|indptr|data|labels|distances|centers"):
        kernels.assign_csr(**(arguments | change))
