"""Rows in groups, of which most are skipped, where an engine has them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.dataset import Dataset
from shoal.engines.current import current_engine
from shoal.engines.statistic import Statistic
from shoal.neighbors.database import Database
from shoal.neighbors.group_bounds import SLACK, GroupBounds, reach_of
from shoal.neighbors.group_index import FIRST_GROUPS, GroupIndex
from shoal.statistics.group_visits import GroupVisits
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_in_groups import NearestInGroups
from shoal.statistics.nearest_rows import NO_ROW, NearestRows, Neighbors
from shoal.statistics.row_groups import RowGroups
from shoal.statistics.rows_within import Pairs, RowsWithin
from shoal.statistics.within_groups import WithinGroups

#: A query that has to look at a larger share of the groups looks at all rows: of blocks of tens of
#: thousands of rows, those of a group cost four times as much each as those of the whole block.
_WIDE = 1 / 4

#: Queries whose bounds are made at a time: a few dozen megabytes of them.
_PART_QUERIES = 1024


@dataclass(frozen=True, slots=True, eq=False)
class GroupedBlocks(GroupIndex):
    r"""Rows grouped by K-means and left in their blocks, with the workers of a cluster.

    Centres and radii of groups are here; which rows of a block are in which group stands beside
    the block, as a cache. Queries are sent twice at most: for their nearest four groups, and then
    for those groups that :math:`|q - c| - r` does not rule out, or for all rows where these are
    more than a quarter. Each time is a pass over the rows, which looks at rows of these groups
    alone. The answer is that of looking at every row; with `n_probe`, that of `GroupedRows` around
    the same centres.

    ``pickle`` stores where the rows come from, centres and radii.

    Parameters
    ----------
    database : Database
    metric : Metric
    groups : RowGroups
    radii : ndarray of shape (n_groups,), float64
        From the centre to the farthest row that was ever there, at least; -inf where there was
        none.
    n_probe : int or None
    """

    database: Database
    metric: Metric
    groups: RowGroups
    radii: Float64Array
    n_probe: int | None

    @classmethod
    def around(
        cls, database: Database, metric: Metric, centers: AnyArray, n_probe: int | None
    ) -> Self:
        radii = np.full(len(centers), -np.inf)
        index = cls(database, metric, RowGroups(centers), radii, n_probe)
        return index._with(database.typed(metric.dtype(database.dtype), metric))

    def query(self, queries: AnyArray, n_neighbors: int) -> Neighbors:
        search = _Search(self, queries, n_neighbors)
        everyone = np.arange(len(queries))
        search.visit(everyone, min(FIRST_GROUPS, self.n_probe or FIRST_GROUPS))
        search.visit(everyone, self.n_probe)
        if self.n_probe is not None:
            search.visit(np.flatnonzero(search.best.rows[:, -1] == NO_ROW), None)
        return Neighbors(self.metric.distances(search.best.distances), search.best.rows)

    def query_radius(self, queries: AnyArray, radius: float) -> Pairs:
        queries = self.typed(queries)
        reach = reach_of(np.full(len(queries), max(self.metric.reduced(radius), 0.0)))
        found = [Pairs.none()]
        for which, visits in self.visits(queries, self.near(queries, reach, self.n_probe)):
            pairs = self.database.within(
                queries[which], radius, self.metric, partial(_within, visits)
            )
            found.append(replace(pairs, queries=which[pairs.queries]))
        return Pairs.joined(found)

    def add(self, dataset: Dataset) -> Self:
        dtype = self.metric.dtype(self.groups.centers.dtype, dataset.dtype)
        added = self._with(Database.of(dataset).typed(dtype, self.metric))
        return replace(added, database=self.database.with_rows(dataset))

    def remove(self, rows: Int64Array) -> Self:
        return replace(self, database=self.database.without_rows(rows))

    def _with(self, datasets: tuple[Dataset, ...]) -> Self:
        """The index with the radii of more rows, each in the group of its nearest centre."""
        centers, radii = self.groups.centers, self.radii
        for dataset in datasets:
            centers = np.ascontiguousarray(centers, dtype=dataset.dtype)
            found = current_engine().fold(dataset, replace(self.groups, centers=centers))
            radii = np.maximum(radii, found.radii * (1 + SLACK))
        return replace(self, groups=replace(self.groups, centers=centers), radii=radii)

    def typed(self, queries: AnyArray) -> AnyArray:
        """Queries of a type that holds rows and centres, too."""
        dtype = self.metric.dtype(queries.dtype, self.database.dtype, self.groups.centers.dtype)
        return np.ascontiguousarray(queries, dtype=dtype)

    def near(self, queries: AnyArray, reach: Float64Array, n_groups: int | None) -> AnyArray:
        """Which of the nearest groups may have rows within reach, shape (n_queries, n_groups)."""
        near = np.empty((len(queries), len(self.radii)), dtype=bool)
        centers, exact_order = self.groups.centers.astype(queries.dtype), self.n_probe is not None
        for start in range(0, len(queries), _PART_QUERIES):
            part = slice(start, start + _PART_QUERIES)
            bounds = GroupBounds(queries[part], centers, self.radii, exact_order=exact_order)
            near[part] = bounds.nearest(n_groups) & bounds.within(reach[part])
        return near

    def visits(
        self, queries: AnyArray, near: AnyArray
    ) -> Iterator[tuple[Int64Array, GroupVisits | None]]:
        """Queries that have to look at all rows, with None, and at groups, with which of these."""
        is_wide = near.mean(axis=1) > (_WIDE if self.n_probe is None else 1)
        if is_wide.any():
            yield np.flatnonzero(is_wide), None
        looking = np.flatnonzero(near.any(axis=1) & ~is_wide)
        if len(looking):
            near = near[looking]
            groups = replace(
                self.groups, centers=np.ascontiguousarray(self.groups.centers, queries.dtype)
            )
            starts = np.concatenate([[0], np.cumsum(np.count_nonzero(near, axis=0))])
            yield looking, GroupVisits(groups, starts, np.nonzero(near.T)[1].astype(np.int32))


class _Search:
    """Some queries in search of groups."""

    def __init__(self, index: GroupedBlocks, queries: AnyArray, n_neighbors: int) -> None:
        self.best = Neighbors.none(len(queries), n_neighbors)
        self._index, self._queries = index, index.typed(queries)
        self._is_open = np.ones((len(queries), len(index.radii)), dtype=bool)

    def visit(self, which: Int64Array, n_groups: int | None) -> None:
        """Let some queries look at so many nearest groups (None: all) that may matter."""
        queries, reach = self._queries[which], reach_of(self.best.distances[which, -1])
        near = self._index.near(queries, reach, n_groups) & self._is_open[which]
        self._is_open[which] &= ~near
        for looking, visits in self._index.visits(queries, near):
            self._look(which[looking], visits)

    def _look(self, which: Int64Array, visits: GroupVisits | None) -> None:
        """Let some queries look at groups, or (None) at all rows: a pass."""
        best = self.best
        if visits is None:
            # All rows are those, too, that were found before.
            best.distances[which], best.rows[which] = np.inf, NO_ROW
            self._is_open[which] = False
        before = Neighbors(best.distances[which], best.rows[which])
        found = self._index.database.reduced_nearest(
            self._queries[which],
            best.rows.shape[1],
            self._index.metric,
            partial(_nearest, visits, before.distances[:, -1]),
        )
        after = before.merge(found)
        best.distances[which], best.rows[which] = after.distances, after.rows


def _nearest(
    visits: GroupVisits | None, reach: Float64Array, nearest: NearestRows
) -> Statistic[Any, Neighbors]:
    return nearest if visits is None else NearestInGroups(nearest, visits, reach)


def _within(visits: GroupVisits | None, within: RowsWithin) -> Statistic[Any, Pairs]:
    return within if visits is None else WithinGroups(within, visits)
