"""The k rows nearest to each of some queries."""

from dataclasses import dataclass, field

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.statistics.metric import Metric, kept_strips, row_strips

#: Stands where there is no row yet: after every row, at an infinite distance.
NO_ROW = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Neighbors:
    """Rows by rising distance to each query, ties by row number.

    Attributes
    ----------
    distances : ndarray of shape (n_queries, n_neighbors), float64
    rows : ndarray of shape (n_queries, n_neighbors), int64
        ``NO_ROW`` where there are fewer rows, at an infinite distance.
    """

    distances: Float64Array
    rows: Int64Array

    @classmethod
    def none(cls, n_queries: int, n_neighbors: int) -> "Neighbors":
        shape = (n_queries, n_neighbors)
        return cls(np.full(shape, np.inf), np.full(shape, NO_ROW))

    @classmethod
    def of_pairs(
        cls,
        queries: Int64Array,
        rows: Int64Array,
        distances: Float64Array,
        shape: tuple[int, int],
    ) -> "Neighbors":
        """The nearest among pairs of a query and a row, for `shape` queries and neighbours."""
        order = np.lexsort((rows, distances, queries))
        queries = queries[order]
        rank = np.arange(len(queries)) - np.searchsorted(queries, queries)
        taken = rank < shape[1]
        nearest = cls.none(*shape)
        place = queries[taken], rank[taken]
        nearest.distances[place] = distances[order][taken]
        nearest.rows[place] = rows[order][taken]
        return nearest

    def nearer(self, distances: Float64Array, numbers: Int64Array) -> "Neighbors":
        """The nearest of these and of rows at these distances, shape (n_queries, n_rows)."""
        k = self.rows.shape[1]
        reach, last = self.distances[:, -1], self.rows[:, -1]
        if len(numbers) > k and not np.isfinite(reach).all():
            kth = np.partition(distances, k - 1, axis=1)[:, k - 1]
            reach, last = np.minimum(reach, kth), np.where(kth < reach, NO_ROW, last)
        queries, places = np.nonzero(distances <= reach[:, None])
        rows, near = numbers[places], distances[queries, places]
        # Most ties with the last neighbour are of later rows.
        is_nearer = (near < reach[queries]) | (rows < last[queries])
        found = queries[is_nearer], rows[is_nearer], near[is_nearer]
        return self.merge(Neighbors.of_pairs(*found, self.rows.shape))

    def merge(self, other: "Neighbors") -> "Neighbors":
        """The nearest of both."""
        distances = np.hstack([self.distances, other.distances])
        rows = np.hstack([self.rows, other.rows])
        order = np.lexsort((rows, distances), axis=1)[:, : self.rows.shape[1]]
        return Neighbors(
            np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)
        )


@dataclass(frozen=True, slots=True, eq=False)
class NearestRows(Statistic[Neighbors, Neighbors]):
    r"""The k nearest rows of each query: the smallest pairs (distance, row number).

    Distances are taken in float64 by :math:`\sum_i (x_i - q_i)^2`, or as the metric says, so the
    result is that of looking at every pair in float64, whatever the type of the data. One pass;
    memory of ``16 * n_queries * n_neighbors`` bytes a thread.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, n_features), C-contiguous
        Of the type of the data.
    n_neighbors : int
    metric : Metric
        For cosine, rows and queries are of unit length. Distances are as ``Metric.distances``
        takes them: squared for euclidean ones, so that results can be merged before roots make
        ties of them.
    first_row : int, default=0
        Added to row numbers.
    removed : ndarray of shape (n_removed,), int64
        Numbers of rows that do not count, ascending, before `first_row` is added.
    """

    queries: AnyArray
    n_neighbors: int
    metric: Metric
    first_row: int = 0
    removed: Int64Array = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def zero(self) -> Neighbors:
        return Neighbors.none(len(self.queries), self.n_neighbors)

    def update(self, partial: Neighbors, block: Block) -> Neighbors:
        if not self.metric.is_on_tile:
            return self._update_by_pairs(partial, block)
        shift = middle(self.queries)
        for rows, numbers in row_strips(block, self.removed):
            _kernels.nearest_rows(
                rows,
                numbers,
                self.queries,
                shift,
                partial.distances,
                partial.rows,
                self.metric.name == "inner_product",
            )
        return partial

    def merge(self, partial: Neighbors, other: Neighbors) -> Neighbors:
        return partial.merge(other)

    def result(self, partial: Neighbors) -> Neighbors:
        found = partial.rows != NO_ROW
        return Neighbors(
            partial.distances,
            np.where(found, partial.rows + self.first_row * found, NO_ROW),
        )

    def _update_by_pairs(self, partial: Neighbors, block: Block) -> Neighbors:
        """`partial` with a block, all of whose distances are taken."""
        for rows, numbers in kept_strips(block, self.removed, 8 * len(self.queries)):
            partial = partial.nearer(self.metric.pairwise(self.queries, rows), numbers)
        return partial


def middle(queries: AnyArray) -> Float64Array:
    """About the middle of the data, as far as queries tell: only speed depends on it."""
    found: Float64Array = queries.mean(axis=0, dtype=np.float64)
    return found if np.isfinite(found).all() else np.zeros(queries.shape[1])
