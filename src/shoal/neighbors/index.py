"""How neighbours are found: the seam that every algorithm implements."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from shoal._typing import AnyArray, Int64Array
from shoal.data.dataset import Dataset
from shoal.neighbors.database import Database
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import Neighbors
from shoal.statistics.rows_within import Pairs


class Index(ABC):
    """Finds neighbours among the rows of a database.

    All indexes give the same bits: the smallest pairs of distance, in float64, and row number,
    unless an index says that it is approximate. Rows are numbered from 0; what is removed closes
    up. What an index is built of it never changes: adding and removing make another.
    """

    #: What ``algorithm`` calls it.
    name: ClassVar[str]
    database: Database
    metric: Metric

    @classmethod
    @abstractmethod
    def build(cls, database: Database, metric: Metric) -> Self:
        """The index of these rows."""

    @abstractmethod
    def query(self, queries: AnyArray, n_neighbors: int) -> Neighbors:
        """The `n_neighbors` nearest rows of each query, shape (n_queries, n_features)."""

    @abstractmethod
    def query_radius(self, queries: AnyArray, radius: float) -> Pairs:
        """The rows at a distance of at most `radius`, by query and then row."""

    @abstractmethod
    def add(self, dataset: Dataset) -> Self:
        """The index of these rows followed by those of `dataset`."""

    @abstractmethod
    def remove(self, rows: Int64Array) -> Self:
        """The index without the rows of these numbers, ascending."""
