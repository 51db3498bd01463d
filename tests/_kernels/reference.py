"""Nearest centres by the definition: the difference form in double precision."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def squared_distances(X: Array, centers: Array) -> NDArray[np.float64]:
    X, centers = X.astype(np.float64), centers.astype(np.float64)
    with np.errstate(over="ignore"):
        return np.stack([((X - c) ** 2).sum(axis=1) for c in centers], axis=1)


def nearest(X: Array, centers: Array) -> NDArray[np.int32]:
    return squared_distances(X, centers).argmin(axis=1).astype(np.int32)


def blobs(
    rng: np.random.Generator, n: int, d: int, k: int, dtype: type = np.float32
) -> tuple[Array, Array]:
    """Rows around k overlapping centres, and the centres."""
    centers = rng.normal(size=(k, d)).astype(dtype)
    X = centers[rng.integers(k, size=n)] + rng.normal(size=(n, d))
    return X.astype(dtype), centers
