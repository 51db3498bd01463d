"""The rows farthest from their centres: where empty clusters are moved to."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int32Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.statistics.nearest_center import nearest_center


@dataclass(frozen=True, slots=True)
class Farthest:
    """Rows by falling distance to their centre, ties by row number.

    Attributes
    ----------
    distances : ndarray of shape (n,), float64
        Squared.
    rows : ndarray of shape (n,), int64
    X : ndarray of shape (n, n_features)
    labels : ndarray of shape (n,), int32
    weights : ndarray of shape (n,), float64
    """

    distances: Float64Array
    rows: Int64Array
    X: AnyArray
    labels: Int32Array
    weights: Float64Array

    def first(self, size: int) -> "Farthest":
        which = np.lexsort((self.rows, -self.distances))[:size]
        return Farthest(
            self.distances[which],
            self.rows[which],
            self.X[which],
            self.labels[which],
            self.weights[which],
        )


@dataclass(frozen=True, slots=True, eq=False)
class FarthestRows(Statistic[Farthest, Farthest]):
    """The `size` rows farthest from the centre nearest to them.

    Rows of weight 0 are passed over. One pass, memory of `size` rows a thread.

    Parameters
    ----------
    size : int
    centers : ndarray of shape (n_clusters, n_features)
    shift : ndarray of shape (n_features,), float64
    pinned : bool, default=False
        Whether rows whose target is not -1 are passed over too.
    """

    size: int
    centers: AnyArray
    shift: Float64Array
    pinned: bool = False

    def zero(self) -> Farthest:
        n_features = self.centers.shape[1]
        return Farthest(
            np.empty(0),
            np.empty(0, dtype=np.int64),
            np.empty((0, n_features), dtype=self.centers.dtype),
            np.empty(0, dtype=np.int32),
            np.empty(0),
        )

    def update(self, partial: Farthest, block: Block) -> Farthest:
        labels, distances = nearest_center(block.X, self.centers, self.shift)
        weights = np.ones(block.n_rows) if block.sample_weight is None else block.sample_weight
        candidates = np.flatnonzero(
            (weights > 0) & (block.target == -1) if self.pinned else weights > 0
        )
        if len(candidates) > self.size:
            threshold = np.partition(distances[candidates], -self.size)[-self.size]
            candidates = candidates[distances[candidates] >= threshold]
        X = block.X[candidates]
        found = Farthest(
            distances[candidates],
            block.row_numbers[candidates],
            X if isinstance(X, np.ndarray) else X.toarray(),
            labels[candidates],
            weights[candidates],
        )
        return self.merge(partial, found.first(self.size))

    def merge(self, partial: Farthest, other: Farthest) -> Farthest:
        return Farthest(
            np.concatenate([partial.distances, other.distances]),
            np.concatenate([partial.rows, other.rows]),
            np.concatenate([partial.X, other.X]),
            np.concatenate([partial.labels, other.labels]),
            np.concatenate([partial.weights, other.weights]),
        ).first(self.size)

    def result(self, partial: Farthest) -> Farthest:
        return partial
