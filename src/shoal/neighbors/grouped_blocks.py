"""Rows in groups, of which most are skipped, where an engine has them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.dataset import Dataset
from shoal.engines.current import current_engine
from shoal.neighbors.database import Database
from shoal.neighbors.group_bounds import SLACK, GroupBounds, reach_of
from shoal.neighbors.group_centers import group_centers
from shoal.neighbors.index import Index, require_euclidean
from shoal.statistics.group_visits import GroupVisits
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_in_groups import NearestInGroups
from shoal.statistics.nearest_rows import NO_ROW, Neighbors
from shoal.statistics.row_groups import RowGroups
from shoal.statistics.rows_within import Pairs
from shoal.statistics.within_groups import WithinGroups

#: Queries whose bounds are made at a time: a few dozen megabytes of them.
_PART_QUERIES = 1024


@dataclass(frozen=True, slots=True, eq=False)
class GroupedBlocks(Index):
    r"""Rows grouped by K-means and left in their blocks, with the workers of a cluster.

    Centres and radii of groups are here; which rows of a block are in which group stands beside
    the block, as a cache. A query is sent, for its nearest group first, and then for those groups
    that :math:`|q - c| - r` does not rule out: a pass over the rows for each, which looks at rows
    of these groups alone. The answer is that of looking at every row; with `n_probe`, that of
    `GroupedRows` around the same centres.

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

    name: ClassVar[str] = "partition"
    database: Database
    metric: Metric
    groups: RowGroups
    radii: Float64Array
    n_probe: int | None

    @classmethod
    def build(
        cls,
        database: Database,
        metric: Metric,
        *,
        leaf_size: int = 30,
        n_probe: int | None = None,
    ) -> Self:
        require_euclidean(metric, cls.name)
        return cls.around(database, metric, group_centers(database, metric), n_probe)

    @classmethod
    def around(
        cls, database: Database, metric: Metric, centers: AnyArray, n_probe: int | None
    ) -> Self:
        """The index whose groups have these centres, shape (n_groups, n_features)."""
        radii = np.full(len(centers), -np.inf)
        index = cls(database, metric, RowGroups(centers), radii, n_probe)
        return index._with(database.typed(metric.dtype(database.dtype), metric))

    def query(self, queries: AnyArray, n_neighbors: int) -> Neighbors:
        search = _Search(self, queries, n_neighbors)
        everyone = np.arange(len(queries))
        search.visit(everyone, 1)
        search.visit(everyone, self.n_probe)
        if self.n_probe is not None:
            search.visit(np.flatnonzero(search.best.rows[:, -1] == NO_ROW), None)
        best = search.best
        return Neighbors(self.metric.distances(best.distances), best.rows)

    def query_radius(self, queries: AnyArray, radius: float) -> Pairs:
        queries = self.typed(queries)
        reach = reach_of(np.full(len(queries), max(self.metric.reduced(radius), 0.0)))
        near = [
            bounds.nearest(self.n_probe) & bounds.within(reach[part])
            for part, bounds in self.bounds(queries)
        ]
        which, visits = self.visits(queries.dtype, np.concatenate(near))
        if not len(which):
            return Pairs.none()
        found = self.database.within(
            queries[which], radius, self.metric, lambda near: WithinGroups(near, visits)
        )
        return replace(found, queries=which[found.queries])

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

    def bounds(self, queries: AnyArray) -> Iterator[tuple[slice, GroupBounds]]:
        """Bounds on the groups of some typed queries after the other."""
        centers = self.groups.centers.astype(queries.dtype)
        for start in range(0, len(queries), _PART_QUERIES):
            part = slice(start, start + _PART_QUERIES)
            yield (
                part,
                GroupBounds(
                    queries[part], centers, self.radii, exact_order=self.n_probe is not None
                ),
            )

    def visits(self, dtype: Any, near: AnyArray) -> tuple[Int64Array, GroupVisits]:
        """Which queries look at any group, and which of them at which.

        `near` says so, shape (n_queries, n_groups).
        """
        which = np.flatnonzero(near.any(axis=1))
        _, queries = np.nonzero(near[which].T)
        starts = np.concatenate([[0], np.cumsum(np.count_nonzero(near, axis=0))])
        centers = np.ascontiguousarray(self.groups.centers, dtype=dtype)
        return which, GroupVisits(replace(self.groups, centers=centers), starts, queries)


class _Search:
    """Some queries in search of groups."""

    def __init__(self, index: GroupedBlocks, queries: AnyArray, n_neighbors: int) -> None:
        self.best = Neighbors.none(len(queries), n_neighbors)
        self._index, self._queries = index, index.typed(queries)
        self._is_open = np.ones((len(queries), len(index.radii)), dtype=bool)

    def visit(self, which: Int64Array, n_groups: int | None) -> None:
        """Let some queries look at so many nearest groups (None: all) that may matter: a pass."""
        queries, best = self._queries[which], self.best
        near = self._is_open[which]
        reach = reach_of(best.distances[which, -1])
        for part, bounds in self._index.bounds(queries):
            near[part] &= bounds.nearest(n_groups) & bounds.within(reach[part])
        self._is_open[which] &= ~near
        looking, visits = self._index.visits(queries.dtype, near)
        if not len(looking):
            return
        queries, which = queries[looking], which[looking]
        before = Neighbors(best.distances[which], best.rows[which])
        found = self._index.database.reduced_nearest(
            queries,
            best.rows.shape[1],
            self._index.metric,
            lambda nearest: NearestInGroups(nearest, visits, before.distances[:, -1]),
        )
        after = before.merge(found)
        best.distances[which], best.rows[which] = after.distances, after.rows
