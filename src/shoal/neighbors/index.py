"""How neighbours are found: the seam that every algorithm implements."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from shoal._typing import AnyArray, Int64Array
from shoal.data.dataset import Dataset
from shoal.engines.current import current_engine
from shoal.engines.local import LocalEngine
from shoal.exceptions import ParameterError
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
    def build(
        cls,
        database: Database,
        metric: Metric,
        *,
        leaf_size: int = 30,
        n_probe: int | None = None,
    ) -> Self:
        """The index of these rows.

        With about `leaf_size` of them in a leaf, if it has leaves; where it has groups, a query
        looks at the `n_probe` nearest, or (None) at all that may matter.
        """

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


def local_engine() -> LocalEngine:
    """The current engine, or where that is none of this process, one that is."""
    engine = current_engine()
    return engine if isinstance(engine, LocalEngine) else LocalEngine()


def require_euclidean(metric: Metric, algorithm: str) -> None:
    """Raise ParameterError where an index cannot answer by this metric."""
    if not metric.is_euclidean:
        raise ParameterError(
            f"algorithm={algorithm!r} answers by 'euclidean', 'sqeuclidean' or 'cosine' distances, "
            f"not by {metric.name!r}. Use algorithm='brute' or 'auto'."
        )
