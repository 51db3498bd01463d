"""Overlapping Gaussian blobs, first centres, and inertia, the same for every library."""

from dataclasses import dataclass

import numpy as np

#: Distance between centres, in standard deviations of a blob, in any number of dimensions.
SEPARATION = 4.0

BLOCK_ROWS = 8192


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows, features and clusters."""

    n: int
    d: int
    k: int

    def reduced(self, quick: bool) -> "Shape":
        """The same in small, so that a run takes seconds."""
        return Shape(self.n // 50, self.d, min(self.k, self.n // 1000)) if quick else self

    def __str__(self) -> str:
        rows = f"{self.n // 10**6}M" if self.n % 10**6 == 0 else f"{self.n // 1000}k"
        return f"{rows} x {self.d}, k = {self.k}"


def true_centers(d: int, k: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(scale=SEPARATION / np.sqrt(2 * d), size=(k, d)).astype(np.float32)


def draw(centers: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of shape (n, d), float32 in C order, of unit variance about centres drawn at random."""
    X = rng.standard_normal((n, centers.shape[1]), dtype=np.float32)
    X += centers[rng.integers(len(centers), size=n)]
    return X


def blobs(shape: Shape, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """As many blobs as clusters, and rows of them to begin with."""
    rng = np.random.default_rng(seed)
    X = draw(true_centers(shape.d, shape.k, rng), shape.n, rng)
    return X, X[np.sort(rng.choice(shape.n, shape.k, replace=False))].copy()


def inertia(X: np.ndarray, centers: np.ndarray) -> float:
    """Sum of squared distances to the nearest centre, in float64 by the difference form."""
    centers = centers.astype(np.float64)
    half_squares = (centers**2).sum(axis=1) / 2
    total = 0.0
    for first in range(0, len(X), BLOCK_ROWS):
        rows = X[first : first + BLOCK_ROWS].astype(np.float64)
        nearest = (rows @ centers.T - half_squares).argmax(axis=1)
        total += float(((rows - centers[nearest]) ** 2).sum())
    return total
