"""All rows within a distance of each of some queries, of the groups that it looks at."""

from dataclasses import dataclass, replace

import numpy as np

from shoal import _kernels
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.statistics.group_visits import GroupVisits
from shoal.statistics.rows_within import Pairs, RowsWithin


@dataclass(frozen=True, slots=True, eq=False)
class WithinGroups(Statistic[list[Pairs], Pairs]):
    """The rows at a distance of at most a radius from each query, of the groups that it looks at.

    One pass; memory of 24 bytes a pair found.

    Parameters
    ----------
    near : RowsWithin
        What would be found if each query looked at all rows, by a euclidean metric.
    visits : GroupVisits
    """

    near: RowsWithin
    visits: GroupVisits

    @property
    def beside_row_bytes(self) -> int:
        return self.visits.beside_row_bytes

    def zero(self) -> list[Pairs]:
        return self.near.zero()

    def update(self, partial: list[Pairs], block: Block) -> list[Pairs]:
        queries, reduced = self.near.queries, self.near.metric.reduced(self.near.radius)
        found = [Pairs.none()]
        for which, rows, numbers, middle in self.visits.looks(block, self.near.removed):
            pairs = Pairs(*_kernels.rows_within(rows, numbers, queries[which], middle, reduced))
            found.append(replace(pairs, queries=which[pairs.queries].astype(np.int64)))
        # Few arrays travel more easily than thousands of short ones.
        return [*partial, Pairs.joined(found)]

    def merge(self, partial: list[Pairs], other: list[Pairs]) -> list[Pairs]:
        return self.near.merge(partial, other)

    def result(self, partial: list[Pairs]) -> Pairs:
        return self.near.result(partial)
