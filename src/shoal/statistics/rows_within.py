"""All rows within a distance of each of some queries."""

from dataclasses import dataclass, field

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.statistics.metric import Metric, kept_strips, row_strips
from shoal.statistics.nearest_rows import middle


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of a query and a row.

    Attributes
    ----------
    queries, rows : ndarray of shape (n_pairs,), int64
    distances : ndarray of shape (n_pairs,), float64
    """

    queries: Int64Array
    rows: Int64Array
    distances: Float64Array

    @classmethod
    def none(cls) -> "Pairs":
        return cls(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))

    @classmethod
    def joined(cls, parts: list["Pairs"]) -> "Pairs":
        """The pairs of all parts, by query and then by row."""
        queries = np.concatenate([part.queries for part in parts])
        rows = np.concatenate([part.rows for part in parts])
        order = np.lexsort((rows, queries))
        distances = np.concatenate([part.distances for part in parts])
        return cls(queries[order], rows[order], distances[order])


@dataclass(frozen=True, slots=True, eq=False)
class RowsWithin(Statistic[list[Pairs], Pairs]):
    """The rows at a distance of at most `radius` from each query.

    One pass; memory of 24 bytes a pair found.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, n_features), C-contiguous
        Of the type of the data.
    radius : float
    metric : Metric
        For cosine, rows and queries are of unit length.
    first_row : int, default=0
        Added to row numbers.
    removed : ndarray of shape (n_removed,), int64
        Numbers of rows that do not count, ascending, before `first_row` is added.
    """

    queries: AnyArray
    radius: float
    metric: Metric
    first_row: int = 0
    removed: Int64Array = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def zero(self) -> list[Pairs]:
        return [Pairs.none()]

    def update(self, partial: list[Pairs], block: Block) -> list[Pairs]:
        if not self.metric.is_on_tile:
            return partial + self._by_pairs(block)
        shift = middle(self.queries)
        for rows, numbers in row_strips(block, self.removed):
            found = _kernels.rows_within(
                rows,
                numbers,
                self.queries,
                shift,
                self.metric.reduced(self.radius),
                self.metric.name == "inner_product",
            )
            partial.append(Pairs(*found))
        return partial

    def merge(self, partial: list[Pairs], other: list[Pairs]) -> list[Pairs]:
        return partial + other

    def result(self, partial: list[Pairs]) -> Pairs:
        pairs = Pairs.joined(partial)
        return Pairs(
            pairs.queries, pairs.rows + self.first_row, self.metric.distances(pairs.distances)
        )

    def _by_pairs(self, block: Block) -> list[Pairs]:
        """What is found in a block, all of whose distances are taken."""
        found = []
        for rows, numbers in kept_strips(block, self.removed, 8 * len(self.queries)):
            distances = self.metric.pairwise(self.queries, rows)
            queries, places = np.nonzero(distances <= self.radius)
            found.append(Pairs(queries, numbers[places], distances[queries, places]))
        return found
