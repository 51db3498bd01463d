"""Rows in groups, of which most are skipped."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.cluster.kmeans import KMeans
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.open import open_dataset
from shoal.engines.current import current_engine
from shoal.engines.local import LocalEngine
from shoal.neighbors.database import Database
from shoal.neighbors.index import Index, require_euclidean
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import Neighbors, middle
from shoal.statistics.rows_within import Pairs

Result = TypeVar("Result")

#: Far more than the relative error of a distance in float64 of up to a million features.
_SLACK = 1e-9

#: Groups are found from a sample of so many rows each.
_ROWS_A_GROUP = 64


@dataclass(frozen=True, slots=True, eq=False)
class GroupedRows(Index):
    r"""Rows grouped by K-means; groups that the triangle inequality rules out are skipped.

    No row of a group with centre :math:`c` and radius :math:`r` is nearer to :math:`q` than
    :math:`|q - c| - r`. A query looks at its nearest group first, then at each group whose bound
    is not above the distance of the farthest neighbour so far. Bounds are lowered by more than
    their rounding error, so the answer is that of looking at every row. It holds a dense copy of
    the rows, group by group.
    """

    name: ClassVar[str] = "partition"
    database: Database
    metric: Metric
    centers: AnyArray
    rows: AnyArray
    numbers: Int64Array
    groups: Int64Array
    radii: Float64Array

    @classmethod
    def build(cls, database: Database, metric: Metric, leaf_size: int = 30) -> Self:
        require_euclidean(metric, cls.name)
        rows, numbers = database.dense(metric)
        centers, none = _centers(rows), numbers[:0]
        index = cls(database, metric, centers, rows[:0], none, none, np.empty(0))
        return index._with(database, rows, numbers)

    def query(self, queries: AnyArray, n_neighbors: int) -> Neighbors:
        parts = list(self._in_parts(queries, lambda some: self._nearest(some, n_neighbors)[0]))
        return Neighbors(
            self.metric.distances(np.concatenate([part.distances for part in parts])),
            np.concatenate([part.rows for part in parts]),
        )

    def query_radius(self, queries: AnyArray, radius: float) -> Pairs:
        reduced = self.metric.reduced(radius)
        pairs, first = [Pairs.none()], 0
        for some, near in self._in_parts(queries, lambda some: (some, self._within(some, reduced))):
            pairs += [Pairs(one.queries + first, one.rows, one.distances) for one in near]
            first += len(some)
        found = Pairs.joined(pairs)
        return Pairs(found.queries, found.rows, self.metric.distances(found.distances))

    def add(self, dataset: Dataset) -> Self:
        rows, numbers = Database.of(dataset).dense(self.metric)
        database = self.database.with_rows(dataset)
        return self._with(database, rows, numbers + self.database.n_rows)

    def remove(self, rows: Int64Array) -> Self:
        kept = ~np.isin(self.numbers, rows)
        numbers = self.numbers[kept]
        return replace(
            self,
            database=self.database.without_rows(rows),
            rows=self.rows[kept],
            numbers=numbers - np.searchsorted(rows, numbers),
            groups=self.groups[kept],
        )

    def share_visited(self, queries: AnyArray, n_neighbors: int) -> float:
        """The share of all rows that queries look at."""
        _, n_visited = self._nearest(queries, n_neighbors)
        return n_visited / (len(queries) * len(self.rows))

    def _with(self, database: Database, rows: AnyArray, numbers: Int64Array) -> Self:
        """The index with more rows, each in the group of its nearest centre."""
        dtype = np.result_type(self.rows, rows)
        centers = np.ascontiguousarray(self.centers, dtype=dtype)
        rows = np.ascontiguousarray(rows, dtype=dtype)
        labels = np.empty(len(rows), dtype=np.int32)
        _kernels.assign(rows, centers, middle(centers), labels)
        groups = np.concatenate([self.groups, labels])
        order = np.argsort(groups, kind="stable")
        rows = np.concatenate([self.rows.astype(dtype), rows])[order]
        return replace(
            self,
            database=database,
            centers=centers,
            rows=rows,
            numbers=np.concatenate([self.numbers, numbers])[order],
            groups=groups[order],
            radii=_radii(rows, centers, groups[order]),
        )

    def _nearest(self, queries: AnyArray, n_neighbors: int) -> tuple[Neighbors, int]:
        """The nearest rows, with squared distances, and how many rows were looked at."""
        search = _Search(self, queries)
        best = Neighbors.none(len(queries), n_neighbors)
        n_visited = 0

        def visit(group: int, which: Int64Array) -> int:
            rows, numbers = search.group(group)
            distances, found = best.distances[which], best.rows[which]
            _kernels.nearest_rows(
                rows, numbers, search.queries[which], search.shift, distances, found
            )
            best.distances[which], best.rows[which] = distances, found
            return len(which) * len(rows)

        first = search.bounds.argmin(axis=1)
        for group in np.unique(first):
            n_visited += visit(group, np.flatnonzero(first == group))
        for group in range(search.bounds.shape[1]):
            reach = np.sqrt(best.distances[:, -1]) * (1 + _SLACK)
            near = ~(search.bounds[:, group] > reach) & (first != group)
            if near.any():
                n_visited += visit(group, np.flatnonzero(near))
        return best, n_visited

    def _within(self, queries: AnyArray, reduced: float) -> list[Pairs]:
        """The rows no farther than a squared distance."""
        search = _Search(self, queries)
        reach = np.sqrt(max(reduced, 0)) * (1 + _SLACK)
        found = []
        for group in range(search.bounds.shape[1]):
            which = np.flatnonzero(~(search.bounds[:, group] > reach))
            if len(which):
                rows, numbers = search.group(group)
                near, places, distances = _kernels.rows_within(
                    rows, numbers, search.queries[which], search.shift, reduced
                )
                found.append(Pairs(which[near], places, distances))
        return found

    def _in_parts(
        self, queries: AnyArray, search: Callable[[AnyArray], Result]
    ) -> Iterator[Result]:
        """What `search` finds for some queries after the other, on threads of this process."""
        engine = current_engine()
        if not isinstance(engine, LocalEngine):
            engine = LocalEngine()
        dataset = open_dataset(queries)

        def of_block(block: Block) -> Result:
            return search(block.X)

        for _, found in engine.map_blocks(dataset, of_block):
            yield found


class _Search:
    """Some queries in search of groups."""

    def __init__(self, index: GroupedRows, queries: AnyArray) -> None:
        dtype = np.result_type(index.rows, queries)
        self.queries = np.ascontiguousarray(queries, dtype=dtype)
        self.shift = middle(index.centers)
        self._rows = np.ascontiguousarray(index.rows, dtype=dtype)
        self._numbers = index.numbers
        n_groups = len(index.centers)
        self._starts = np.searchsorted(index.groups, np.arange(n_groups + 1))
        self.bounds = self._distances(index.centers) - index.radii

    def group(self, group: int) -> tuple[AnyArray, Int64Array]:
        """Rows of a group, and their numbers."""
        here = slice(self._starts[group], self._starts[group + 1])
        return self._rows[here], self._numbers[here]

    def _distances(self, centers: AnyArray) -> Float64Array:
        """Distances of queries to centres at least, shape (n_queries, n_groups)."""
        queries, centers = self.queries - self.shift, centers - self.shift
        # What overflows becomes NaN, which rules no group out.
        with np.errstate(over="ignore", invalid="ignore"):
            query_norms = np.einsum("ij,ij->i", queries, queries)[:, None]
            center_norms = np.einsum("ij,ij->i", centers, centers)
            squared = query_norms + center_norms - 2 * (queries @ centers.T)
            error = _SLACK * (query_norms + center_norms)
            found: Float64Array = np.sqrt(np.maximum(squared - error, 0)) * (1 - _SLACK)
        return found


def _radii(rows: AnyArray, centers: AnyArray, groups: Int64Array) -> Float64Array:
    """How far rows of each group are from its centre at most; groups without rows are nowhere."""
    squared = np.empty(len(rows))
    _kernels.own_distances(rows, centers, groups.astype(np.int32), squared)
    radii = np.full(len(centers), -np.inf)
    np.maximum.at(radii, groups, np.sqrt(squared) * (1 + _SLACK))
    return radii


def _centers(rows: AnyArray) -> AnyArray:
    """Centres of about as many groups as groups have rows, from a sample of the rows.

    Better first centres would take several times as long as all else.
    """
    n_groups = max(1, int(np.sqrt(len(rows))))
    sample = rows[:: max(1, len(rows) // (_ROWS_A_GROUP * n_groups))]
    # Scaled by a power of two, so that no sum of squares overflows.
    _, exponent = np.frexp(np.abs(sample).max())
    sample = np.ldexp(sample, -exponent)
    model = KMeans(n_groups, init="random", n_init=1, max_iter=10, random_state=0)
    with warnings.catch_warnings():
        # Groups without rows do no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(np.ldexp(model.fit(sample).cluster_centers_, exponent))
