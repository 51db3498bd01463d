"""SciPy's k-d tree, with neighbours decided as everywhere else."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy.spatial import KDTree

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.dataset import Dataset
from shoal.neighbors.candidates import measured, nearest_of
from shoal.neighbors.database import Database
from shoal.neighbors.index import Index, local_engine, require_euclidean
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import Neighbors
from shoal.statistics.rows_within import Pairs

#: The tree's distances may differ from the truth by rounding; neighbours this close to the
#: farthest one, relatively, are looked at again.
_SLACK = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class KdTree(Index):
    """A k-d tree: boxes halved along one feature after the other, for few features.

    It holds a dense copy of the rows. SciPy finds candidates, with a margin for the rounding of
    its distances; which of them are neighbours is decided as by the other indexes.
    """

    name: ClassVar[str] = "kd_tree"
    database: Database
    metric: Metric
    rows: AnyArray
    numbers: Int64Array
    tree: KDTree
    leaf_size: int

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
        rows, numbers = database.dense(metric)
        tree = KDTree(rows.astype(np.float64, copy=False), leafsize=leaf_size)
        return cls(database, metric, rows, numbers, tree, leaf_size)

    def query(self, queries: AnyArray, n_neighbors: int) -> Neighbors:
        n_queries, wanted = len(queries), np.arange(1, n_neighbors + 2)
        reach, places = self.tree.query(queries, wanted, workers=local_engine().n_threads)
        is_clear = reach[:, -1] > reach[:, -2] * (1 + _SLACK)
        clear = np.flatnonzero(is_clear)
        tied = np.flatnonzero(~is_clear)
        found_queries, found_places = self._balls(queries, tied, reach[tied, -2])
        pairs = measured(
            queries,
            self.rows,
            np.concatenate([np.repeat(clear, n_neighbors), tied[found_queries]]),
            np.concatenate([places[clear, :-1].ravel(), found_places]),
        )
        return nearest_of(
            replace(pairs, rows=self.numbers[pairs.rows]), n_queries, n_neighbors, self.metric
        )

    def query_radius(self, queries: AnyArray, radius: float) -> Pairs:
        reduced = self.metric.reduced(radius)
        reach = np.full(len(queries), np.sqrt(max(reduced, 0)))
        balls = self._balls(queries, np.arange(len(queries)), reach)
        found = measured(queries, self.rows, *balls)
        near = found.distances <= reduced
        distances = self.metric.distances(found.distances[near])
        numbers = self.numbers[found.rows[near]]
        return Pairs.joined([Pairs(found.queries[near], numbers, distances)])

    def add(self, dataset: Dataset) -> Self:
        return self.build(self.database.with_rows(dataset), self.metric, leaf_size=self.leaf_size)

    def remove(self, rows: Int64Array) -> Self:
        return self.build(self.database.without_rows(rows), self.metric, leaf_size=self.leaf_size)

    def _balls(
        self, queries: AnyArray, which: Int64Array, reach: Float64Array
    ) -> tuple[Int64Array, Int64Array]:
        """Places in `which` and of rows, of pairs no farther apart than about `reach`."""
        if not len(which):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        reach = np.nextafter(reach * (1 + _SLACK), np.inf)
        balls = self.tree.query_ball_point(queries[which], reach, workers=local_engine().n_threads)
        counts = np.fromiter(map(len, balls), dtype=np.int64, count=len(balls))
        return np.repeat(np.arange(len(which)), counts), np.concatenate(balls).astype(np.int64)
