"""The k nearest to each of some queries among the rows of groups that it looks at."""

from dataclasses import dataclass

from shoal import _kernels
from shoal._typing import Float64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.statistics.group_visits import GroupVisits
from shoal.statistics.nearest_rows import NearestRows, Neighbors


@dataclass(frozen=True, slots=True, eq=False)
class NearestInGroups(Statistic[Neighbors, Neighbors]):
    """The k nearest rows of each query, of the groups that it looks at and no farther than `reach`.

    One pass; memory of ``16 * n_queries * n_neighbors`` bytes a thread.

    Parameters
    ----------
    nearest : NearestRows
        What would be found if each query looked at all rows, by a euclidean metric.
    visits : GroupVisits
    reach : ndarray of shape (n_queries,), float64
        Squared. It stands in place of distances of rows that are not there.
    """

    nearest: NearestRows
    visits: GroupVisits
    reach: Float64Array

    @property
    def beside_row_bytes(self) -> int:
        return self.visits.beside_row_bytes

    def zero(self) -> Neighbors:
        # Every row within reach comes before NO_ROW at the same distance.
        none = self.nearest.zero()
        none.distances[:] = self.reach[:, None]
        return none

    def update(self, partial: Neighbors, block: Block) -> Neighbors:
        queries = self.nearest.queries
        for which, rows, numbers, middle in self.visits.looks(block, self.nearest.removed):
            distances, found = partial.distances[which], partial.rows[which]
            _kernels.nearest_rows(rows, numbers, queries[which], middle, distances, found)
            partial.distances[which], partial.rows[which] = distances, found
        return partial

    def merge(self, partial: Neighbors, other: Neighbors) -> Neighbors:
        return partial.merge(other)

    def result(self, partial: Neighbors) -> Neighbors:
        return self.nearest.result(partial)
