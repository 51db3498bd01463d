"""Rows in groups, of which most are skipped."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, repeat
from threading import Lock
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.dataset import Dataset
from shoal.engines.local import one_blas_thread
from shoal.neighbors.database import Database, places_without
from shoal.neighbors.group_bounds import SLACK, GroupBounds, reach_of
from shoal.neighbors.group_index import FIRST_GROUPS, GroupIndex
from shoal.neighbors.group_members import GroupMembers, members_of
from shoal.neighbors.index import local_engine
from shoal.statistics.metric import Metric, is_among
from shoal.statistics.nearest_rows import NO_ROW, Neighbors
from shoal.statistics.rows_within import Pairs

Result = TypeVar("Result")

#: ``map``, or that of a pool of threads.
_Each: TypeAlias = Callable[..., Iterator[Any]]

#: Queries that groups are visited for at a time: many, so that visits are worth their overhead;
#: and what share of the memory they may take.
_PART_QUERIES = 16384
_PART_SHARE = 1 / 32

#: Where queries have no more groups than this to look at, on the average, groups on disk are read
#: once, rather than the nearest ones first, then others: that would rule out few.
_FEW_GROUPS = 2 * FIRST_GROUPS

#: Of the file that groups are in, that the disk is ahead of the threads.
_AHEAD_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class GroupedRows(GroupIndex):
    r"""Rows grouped by K-means; groups that the triangle inequality rules out are skipped.

    No row of a group with centre :math:`c` and radius :math:`r` is nearer to :math:`q` than
    :math:`|q - c| - r`. A query looks at its nearest group first, then at each group whose bound
    is not above the distance of the farthest neighbour so far. Bounds are lowered by more than
    their rounding error, so the answer is that of looking at every row; with `n_probe`, of every
    row of the groups with the `n_probe` nearest centres, and of others only while there are too
    few.

    It holds a dense copy of the rows, group by group: in memory, or where they are read from files
    and take more than a quarter of the engine's memory, in a private file on local disk, which is
    gone when the index is. ``pickle`` then stores where the rows came from and the centres, and
    loading writes a file again.
    """

    database: Database
    metric: Metric
    centers: AnyArray
    radii: Float64Array
    members: tuple[GroupMembers, ...]
    removed: Int64Array
    n_probe: int | None

    @classmethod
    def around(
        cls, database: Database, metric: Metric, centers: AnyArray, n_probe: int | None
    ) -> Self:
        radii = np.full(len(centers), -np.inf)
        index = cls(database, metric, centers, radii, (), database.removed, n_probe)
        for part in database.typed(metric.dtype(database.dtype), metric):
            index = index._with(part)
        return index

    def query(self, queries: AnyArray, n_neighbors: int) -> Neighbors:
        parts = list(self._in_parts(queries, partial(self._nearest, n_neighbors)))
        return Neighbors(
            self.metric.distances(np.concatenate([part.distances for part in parts])),
            np.concatenate([part.rows for part in parts]),
        )

    def query_radius(self, queries: AnyArray, radius: float) -> Pairs:
        reduced = self.metric.reduced(radius)
        pairs, first = [Pairs.none()], 0
        for n_queries, near in self._in_parts(queries, partial(self._within, reduced)):
            pairs += [Pairs(one.queries + first, one.rows, one.distances) for one in near]
            first += n_queries
        found = Pairs.joined(pairs)
        return Pairs(
            found.queries, self._numbers(found.rows), self.metric.distances(found.distances)
        )

    def add(self, dataset: Dataset) -> Self:
        dtype = self.metric.dtype(self.centers.dtype, dataset.dtype)
        (typed,) = Database.of(dataset).typed(dtype, self.metric)
        return replace(self._with(typed), database=self.database.with_rows(dataset))

    def remove(self, rows: Int64Array) -> Self:
        return replace(
            self,
            database=self.database.without_rows(rows),
            removed=places_without(self.removed, rows),
        )

    def strips(self, group: int) -> Iterator[tuple[AnyArray, Int64Array]]:
        """Rows of a group and their places, -1 of those removed, strip by strip."""
        for members in self.members:
            for rows, places in members.read(group):
                is_gone = is_among(places, self.removed) if len(self.removed) else False
                yield rows, np.where(is_gone, -1, places)

    def _with(self, dataset: Dataset) -> Self:
        """The index with more rows, each in the group of its nearest centre."""
        centers = np.ascontiguousarray(self.centers, dtype=dataset.dtype)
        first_place = sum(members.n_places for members in self.members)
        members, radii = members_of(dataset, centers, first_place)
        radii = np.maximum(self.radii, radii * (1 + SLACK))
        return replace(self, centers=centers, radii=radii, members=(*self.members, members))

    def _nearest(self, n_neighbors: int, each: _Each, queries: AnyArray) -> Neighbors:
        """The nearest rows, with squared distances."""
        search = _Search(self, queries, n_neighbors, each)
        if not (self.is_on_disk and search.visit_once()):
            search.visit_nearest()
            search.visit_near()
        if self.n_probe is not None:
            search.visit_others()
        best = search.best
        rows = np.where(best.rows == NO_ROW, NO_ROW, self._numbers(best.rows))
        return Neighbors(best.distances, rows)

    def _within(self, reduced: float, each: _Each, queries: AnyArray) -> tuple[int, list[Pairs]]:
        """How many queries there are, and their rows no farther than a squared distance."""
        search = _Search(self, queries, 1, each)
        near = search.groups_within(np.full(len(queries), reduced))

        def look_at(group: int, which: Int64Array) -> list[Pairs]:
            some, shift = search.queries[which], search.shifts[group]
            found = []
            for rows, places in search.strips(group):
                pairs = Pairs(*_kernels.rows_within(rows, places, some, shift, reduced))
                found.append(replace(pairs, queries=which[pairs.queries]))
            return found

        return len(queries), list(chain.from_iterable(search.each_group(*_pairs_of(near), look_at)))

    def _in_parts(
        self, queries: AnyArray, search: Callable[[_Each, AnyArray], Result]
    ) -> Iterator[Result]:
        """What `search` finds for some queries after the other, on threads of this process.

        In memory each thread takes queries of its own. Groups that are on disk are read once for
        as many queries as there is room for, and threads share the groups.
        """
        engine = local_engine()
        n_threads = engine.n_threads
        fitting = int(engine.memory_bytes * _PART_SHARE) // self._query_bytes
        with one_blas_thread(), ThreadPoolExecutor(n_threads, "shoal-groups") as pool:
            each_part, each_group = (map, pool.map) if self.is_on_disk else (pool.map, map)
            if not self.is_on_disk:
                fitting = min(fitting // n_threads, -(-len(queries) // n_threads))
            step = max(min(_PART_QUERIES, fitting), 64)
            parts = (queries[start : start + step] for start in range(0, len(queries), step))
            yield from each_part(partial(search, each_group), parts)

    @property
    def _query_bytes(self) -> int:
        """What a query holds: its distance to each centre, and marks."""
        return 2 * 8 * len(self.centers)

    def _numbers(self, places: Int64Array) -> Int64Array:
        return places - np.searchsorted(self.removed, places)

    @property
    def is_on_disk(self) -> bool:
        """Whether rows are in a private file."""
        return any(members.is_on_disk for members in self.members)

    @property
    def counts(self) -> Int64Array:
        """How many rows each group has at least, shape (n_groups,)."""
        of_all = [np.diff(members.storage.starts) for members in self.members]
        counts: Int64Array = np.sum(of_all, axis=0) - len(self.removed)
        return counts

    def expect(self, group: int) -> None:
        """Have the rows of a group read ahead."""
        for members in self.members:
            members.expect(group)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.is_on_disk:
            return type(self).around, (self.database, self.metric, self.centers, self.n_probe)
        return _made, (type(self), *(getattr(self, name) for name in self.__dataclass_fields__))


class _Search:
    """Some queries in search of groups."""

    def __init__(
        self, index: GroupedRows, queries: AnyArray, n_neighbors: int, each: _Each
    ) -> None:
        dtype = np.result_type(index.centers, queries)
        self.queries = np.ascontiguousarray(queries, dtype=dtype)
        self.best = Neighbors.none(len(queries), n_neighbors)
        # Rows and queries of a group are nearest to each other around its centre.
        self.shifts = index.centers.astype(np.float64)
        self._index, self._each = index, each
        # Other threads may look at other groups for the same queries.
        self._is_shared, self._lock = index.is_on_disk, Lock()
        group_bytes = sum(members.group_bytes for members in index.members)
        self._n_ahead = max(1, _AHEAD_BYTES // max(group_bytes, 1))
        self._bounds = GroupBounds(
            self.queries,
            index.centers.astype(dtype),
            index.radii,
            exact_order=index.n_probe is not None,
        )
        self._is_probed = self._bounds.nearest(index.n_probe)

    def visit_once(self) -> bool:
        """Look at all groups that may matter, each read once, if they are few; returns whether.

        As many rows as are wanted are no farther than the farthest row of any group of so many.
        """
        if self._index.n_probe is not None:
            return False
        are_enough = self._index.counts >= self.best.rows.shape[1]
        near = self._bounds.within(self._bounds.farthest(are_enough))
        if np.count_nonzero(near) > _FEW_GROUPS * len(near):
            return False
        self._visit_marked(near)
        return True

    def visit_nearest(self) -> None:
        """Look at the group of the nearest centre."""
        nearest = self._bounds.distances.argmin(axis=1)
        order = np.argsort(nearest, kind="stable")
        self._visit_pairs(order, nearest[order])

    def visit_near(self) -> None:
        """Look at all groups that no bound rules out, a few nearest ones first."""
        near = self.groups_within(self.best.distances[:, -1])
        many = np.flatnonzero(np.count_nonzero(near, axis=1) > FIRST_GROUPS)
        if len(many):
            near[many] &= self._bounds.nearest(FIRST_GROUPS, many)
        self._visit_marked(near)
        self._visit_all(many)

    def visit_others(self) -> None:
        """Look at groups that were not to be probed, for queries that found too few rows."""
        self._is_probed[:] = True
        self._visit_all(np.flatnonzero(self.best.rows[:, -1] == NO_ROW))

    def groups_within(self, reduced: Float64Array, which: Any = slice(None)) -> AnyArray:
        """Groups to be probed that may have rows within a squared distance of each query.

        `reduced` is of shape (n_which,), the result of shape (n_which, n_groups).
        """
        near: AnyArray = self._bounds.within(reach_of(reduced), which) & self._is_probed[which]
        return near

    def _visit_all(self, which: Int64Array) -> None:
        """Look at all groups that may still matter to these queries."""
        if not len(which):
            return
        near = np.zeros(self._is_probed.shape, dtype=bool)
        near[which] = self.groups_within(self.best.distances[which, -1], which)
        self._visit_marked(near)

    def _visit_marked(self, near: AnyArray) -> None:
        """Look at marked groups; `near` is of shape (n_queries, n_groups)."""
        self._visit_pairs(*_pairs_of(near))

    def _visit_pairs(self, queries: Int64Array, groups: Int64Array) -> None:
        """Look at a group for a query, pair after pair; groups ascend."""
        for _ in self.each_group(queries, groups, self._visit):
            pass

    def each_group(
        self, queries: Int64Array, groups: Int64Array, look_at: Callable[[int, Int64Array], Result]
    ) -> Iterator[Result]:
        """What `look_at` gives of each group and its queries in pairs with them; groups ascend."""
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        each = groups[starts].tolist()
        coming = chain(each[self._n_ahead :], repeat(None, self._n_ahead))

        def look(group: int, which: Int64Array, later: int | None) -> Result:
            if later is not None:
                self._index.expect(later)
            return look_at(group, which)

        return self._each(look, each, np.split(queries, starts[1:]), coming)

    def _visit(self, group: int, which: Int64Array) -> None:
        """Look at a group for the queries that it may still matter to."""
        reach = self.best.distances[which, -1]
        is_near = self._bounds.still_within(reach_of(reach), which, group)
        if is_near.any():
            self._look_at(group, which[is_near])
        self._bounds.distances[which, group] = np.inf

    def strips(self, group: int) -> Iterator[tuple[AnyArray, Int64Array]]:
        """The rows of a group, in the type of the queries, and their places."""
        for rows, places in self._index.strips(group):
            yield rows.astype(self.queries.dtype, copy=False), places

    def _look_at(self, group: int, which: Int64Array) -> None:
        """Look at the rows of a group for some queries."""
        queries, best = self.queries[which], self.best
        found = Neighbors(best.distances[which], best.rows[which])
        if self._is_shared:
            # Every row within reach comes before NO_ROW at the same distance.
            found.distances[:], found.rows[:] = found.distances[:, -1:], NO_ROW
        for rows, places in self.strips(group):
            _kernels.nearest_rows(
                rows, places, queries, self.shifts[group], found.distances, found.rows
            )
        with self._lock:
            if self._is_shared:
                found = found.merge(Neighbors(best.distances[which], best.rows[which]))
            best.distances[which], best.rows[which] = found.distances, found.rows


def _pairs_of(near: AnyArray) -> tuple[Int64Array, Int64Array]:
    """Queries and groups that are marked, by group; `near` is of shape (n_queries, n_groups)."""
    groups, queries = np.divmod(np.flatnonzero(np.ascontiguousarray(near.T)), len(near))
    return queries, groups


def _made(cls: type[GroupedRows], *fields: Any) -> GroupedRows:
    return cls(*fields)
