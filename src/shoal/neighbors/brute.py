"""Looking at every row."""

from dataclasses import dataclass
from typing import ClassVar, Self

from shoal._typing import AnyArray, Int64Array
from shoal.data.dataset import Dataset
from shoal.neighbors.database import Database
from shoal.neighbors.index import Index
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import Neighbors
from shoal.statistics.rows_within import Pairs


@dataclass(frozen=True, slots=True, eq=False)
class Brute(Index):
    """Every row is compared with every query: one pass over the rows a batch of queries.

    Rows stay where they are, be it memory, files or the workers of a cluster, and any metric will
    do.
    """

    name: ClassVar[str] = "brute"
    database: Database
    metric: Metric

    @classmethod
    def build(
        cls,
        database: Database,
        metric: Metric,
        *,
        leaf_size: int = 30,
        n_probe: int | None = None,
    ) -> Self:
        return cls(database, metric)

    def query(self, queries: AnyArray, n_neighbors: int) -> Neighbors:
        return self.database.nearest(queries, n_neighbors, self.metric)

    def query_radius(self, queries: AnyArray, radius: float) -> Pairs:
        return self.database.within(queries, radius, self.metric)

    def add(self, dataset: Dataset) -> Self:
        return type(self)(self.database.with_rows(dataset), self.metric)

    def remove(self, rows: Int64Array) -> Self:
        return type(self)(self.database.without_rows(rows), self.metric)
