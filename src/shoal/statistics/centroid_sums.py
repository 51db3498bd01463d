"""Sums and counts of the rows nearest to each centre: the pass of a Lloyd iteration."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from shoal import _kernels
from shoal._typing import Float64Array, Int32Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.statistics.center_search import CenterSearch, Labelling
from shoal.statistics.fixed_point import Scale, to_float

BESIDE = "centroid_sums"


@dataclass(slots=True)
class ExactSums:
    """Fixed-point sums of the rows of each cluster, about the shift.

    Attributes
    ----------
    sums : ndarray of shape (n_limbs, n_clusters, n_features), int64
    counts : ndarray of shape (n_clusters,), int64
        Rows.
    weights : ndarray of shape (n_limbs, n_clusters), int64
        Sample weights; zeros where rows have none.
    n_scanned, n_moved : int
        Rows for which all centres were looked at; rows whose label is new.
    """

    sums: Int64Array
    counts: Int64Array
    weights: Int64Array
    n_scanned: int = 0
    n_moved: int = 0

    @classmethod
    def zero(cls, n_limbs: int, n_clusters: int, n_features: int) -> Self:
        return cls(
            np.zeros((n_limbs, n_clusters, n_features), dtype=np.int64),
            np.zeros(n_clusters, dtype=np.int64),
            np.zeros((n_limbs, n_clusters), dtype=np.int64),
        )

    def add(self, other: Self) -> Self:
        self.sums += other.sums
        self.counts += other.counts
        self.weights += other.weights
        self.n_scanned += other.n_scanned
        self.n_moved += other.n_moved
        return self


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """What a pass found.

    Attributes
    ----------
    sums : ndarray of shape (n_clusters, n_features), float64
        Sum of w_i (x_i - shift) over the rows of each cluster.
    weights : ndarray of shape (n_clusters,), float64
        Sum of their weights; of a weight of 1 each, where rows have none.
    n_scanned, n_moved : int
        Rows for which all centres were looked at; rows whose label is new.
    """

    sums: Float64Array
    weights: Float64Array
    n_scanned: int
    n_moved: int


@dataclass(frozen=True, slots=True, eq=False)
class CentroidSums(Statistic[ExactSums, ClusterSums]):
    r"""Sums :math:`\sum_i w_i x_i` and :math:`\sum_i w_i` over the rows nearest to each centre.

    Sums are fixed point and so exact in any order; and they can be kept up by differences: where
    a block's sums and labels of the pass before still stand beside it, rows whose label changed
    are subtracted from one cluster and added to the other.

    One pass. Memory: what `search` keeps beside rows, and ``8 * n_limbs * n_clusters *
    n_features`` bytes a thread, and once more beside each block that is large enough.

    Parameters
    ----------
    search : CenterSearch
        Finds labels.
    scale, weight_scale : Scale
        Fixed-point scales of w (x - shift) and of w.
    weighted : bool
        Whether rows have weights.
    """

    search: CenterSearch
    scale: Scale
    weight_scale: Scale
    weighted: bool = False

    @property
    def beside_row_bytes(self) -> int:
        # Blocks are of thousands of rows, but for budgets so small that nothing is kept at all.
        n_clusters, n_features = self.search.centers.shape
        of_block = 8 * self.scale.limbs * n_clusters * n_features
        a_row: int = min(n_features, -(-of_block // 4096))
        return self.search.beside_row_bytes + a_row

    def zero(self) -> ExactSums:
        return ExactSums.zero(self.scale.limbs, *self.search.centers.shape)

    def update(self, partial: ExactSums, block: Block) -> ExactSums:
        with self.search.labelling(block) as rows:
            if not self._worth_keeping(block):
                return self._assign_and_sum(block, rows, None, partial)
            # Like labels, taken out while it is being changed.
            labels, of_block = block.beside.pop(BESIDE, (None, None))
            before = rows.labels_before
            if before is None or labels is not before:
                of_block, before = self.zero(), None
            of_block.n_scanned = of_block.n_moved = 0
            self._assign_and_sum(block, rows, before, of_block)
        block.beside[BESIDE] = rows.labels, of_block
        return partial.add(of_block)

    def merge(self, partial: ExactSums, other: ExactSums) -> ExactSums:
        return partial.add(other)

    def result(self, partial: ExactSums) -> ClusterSums:
        weights = (
            to_float(partial.weights, self.weight_scale)
            if self.weighted
            else partial.counts.astype(np.float64)
        )
        return ClusterSums(
            to_float(partial.sums, self.scale), weights, partial.n_scanned, partial.n_moved
        )

    def _worth_keeping(self, block: Block) -> bool:
        """Whether the sums of one block are small beside its rows (a quarter of their memory)."""
        return 32 * self.scale.limbs * len(self.search.centers) <= 4 * block.n_rows

    def _assign_and_sum(
        self, block: Block, rows: Labelling, before: Int32Array | None, into: ExactSums
    ) -> ExactSums:
        """Label rows and move each from the sums of its label `before` (of none) to that of now."""
        if before is None:
            before = np.full(block.n_rows, -1, dtype=np.int32)
        X, search = block.X, self.search
        moves = (before, rows.labels, self.scale.exponents, into.sums, into.counts)
        arguments = {
            "weights": block.sample_weight,
            "weight_exponent": int(self.weight_scale.exponents),
            "weight_sums": into.weights if self.weighted else None,
            "low_bits": self.scale.low_bits,
        }
        is_dense = isinstance(X, np.ndarray)
        if is_dense and not search.pinned:
            n_scanned, n_moved = _kernels.assign_and_sum(
                X, search.centers, search.shift, *moves, **arguments, **rows.bounds
            )
        else:
            n_scanned = block.n_rows
            search.label(block, rows.labels)
            n_moved = (
                _kernels.sum_moved_rows(X, search.shift, *moves, **arguments)
                if is_dense
                else _kernels.sum_moved_rows_csr(X.data, X.indices, X.indptr, *moves, **arguments)
            )
        into.n_scanned += n_scanned
        into.n_moved += n_moved
        return into
