"""Inertia, and labels where they are wanted: the last pass of a K-means fit."""

from dataclasses import dataclass, field

import numpy as np

from shoal import _kernels
from shoal._typing import Float64Array, Int32Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.statistics.center_search import CenterSearch
from shoal.statistics.fixed_point import Scale, choose_scale, to_float
from shoal.statistics.range import ColumnRange


@dataclass(frozen=True, slots=True)
class Assigned:
    """Rows and the centres nearest to them.

    Attributes
    ----------
    inertia : float
        Weighted sum of squared distances.
    counts : ndarray of shape (n_clusters,), int64
        Rows of each cluster.
    labels : ndarray of shape (n_rows,), int32, or None
        Of every row of the dataset, if they were asked for; -1 for dropped rows.
    """

    inertia: float
    counts: Int64Array
    labels: Int32Array | None


@dataclass(slots=True)
class ExactAssignment:
    """Fixed-point inertia (n_limbs,), rows of each cluster, row numbers and labels of blocks."""

    inertia: Int64Array
    counts: Int64Array
    labels: list[tuple[Int64Array | slice, Int32Array]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Assignment(Statistic[ExactAssignment, Assigned]):
    r"""Inertia :math:`\sum_i w_i \min_j |x_i - c_j|^2` of rows, and their labels.

    Distances are taken in the difference form in float64 and summed in fixed point. One pass;
    memory of 4 bytes a row for labels, if they are wanted.

    Parameters
    ----------
    search : CenterSearch
    scale : Scale
        Fixed-point scale of w |x - c|^2.
    n_labels : int, default=0
        Rows of the dataset, where a label of each is wanted.
    """

    search: CenterSearch
    scale: Scale
    n_labels: int = 0

    @classmethod
    def within(cls, found: ColumnRange, search: CenterSearch, n_labels: int = 0) -> "Assignment":
        """The statistic for rows of a known range."""
        centers = search.centers.astype(np.float64)
        low, high = centers.min(axis=0), centers.max(axis=0)
        farthest = np.maximum(found.maximum - low, high - found.minimum)
        with np.errstate(over="ignore"):  # choose_scale refuses what overflows.
            bound = found.largest_weight * float((farthest**2).sum())
        return cls(search, choose_scale(bound, found.n_rows, np.float64), n_labels)

    @property
    def beside_row_bytes(self) -> int:
        return self.search.beside_row_bytes

    def zero(self) -> ExactAssignment:
        n_clusters = len(self.search.centers)
        return ExactAssignment(
            np.zeros(self.scale.limbs, dtype=np.int64), np.zeros(n_clusters, dtype=np.int64)
        )

    def update(self, partial: ExactAssignment, block: Block) -> ExactAssignment:
        labels = self.search(block).labels
        distances = own_distances(block, self.search.centers, labels)
        _kernels.sum_values(
            distances,
            int(self.scale.exponents),
            self.scale.low_bits,
            partial.inertia,
            block.sample_weight,
        )
        partial.counts += np.bincount(labels, minlength=len(partial.counts))
        if self.n_labels:
            here = slice(block.first_row, block.first_row + block.n_rows)
            partial.labels.append((here if block.rows is None else block.rows, labels))
        return partial

    def merge(self, partial: ExactAssignment, other: ExactAssignment) -> ExactAssignment:
        partial.inertia += other.inertia
        partial.counts += other.counts
        partial.labels += other.labels
        return partial

    def result(self, partial: ExactAssignment) -> Assigned:
        labels = np.full(self.n_labels, -1, dtype=np.int32)
        for rows, values in partial.labels:
            labels[rows] = values
        inertia = float(to_float(partial.inertia, self.scale))
        return Assigned(inertia, partial.counts, labels if self.n_labels else None)


def own_distances(block: Block, centers: np.ndarray, labels: Int32Array) -> Float64Array:
    """Squared distance of each row to the centre of its label, shape (n_rows,)."""
    distances = np.empty(block.n_rows)
    X = block.X
    if isinstance(X, np.ndarray):
        _kernels.own_distances(X, centers, labels, distances)
    else:
        _kernels.own_distances_csr(X.data, X.indices, X.indptr, centers, labels, distances)
    return distances
