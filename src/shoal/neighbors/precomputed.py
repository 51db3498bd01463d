"""Reading neighbours off distances that are given."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from shoal._typing import AnyArray, Int64Array
from shoal.data.dataset import Dataset
from shoal.exceptions import DataError, ParameterError
from shoal.neighbors.brute import Brute
from shoal.neighbors.database import Database
from shoal.neighbors.index import Index
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import NO_ROW, Neighbors
from shoal.statistics.rows_within import Pairs


@dataclass(frozen=True, slots=True, eq=False)
class Precomputed(Index):
    """Queries are their distances to all rows, infinite to those that are no neighbours.

    The database holds the distances between its own rows.
    """

    #: As for other metrics, every row is looked at.
    name: ClassVar[str] = Brute.name
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
        if database.n_rows != database.n_features:
            raise DataError(
                "Precomputed matrix must be square: it is the distances between all rows of the "
                f"model. Input is a {database.n_rows}x{database.n_features} matrix."
            )
        return cls(database, metric)

    def query(self, queries: AnyArray, n_neighbors: int) -> Neighbors:
        none = Neighbors.none(len(queries), n_neighbors)
        found = none.nearer(_checked(queries), np.arange(queries.shape[1]))
        return Neighbors(found.distances, np.where(np.isinf(found.distances), NO_ROW, found.rows))

    def query_radius(self, queries: AnyArray, radius: float) -> Pairs:
        found, rows = np.nonzero((_checked(queries) <= radius) & np.isfinite(queries))
        return Pairs(found, rows, queries[found, rows].astype(np.float64))

    def add(self, dataset: Dataset) -> Self:
        raise _unalterable()

    def remove(self, rows: Int64Array) -> Self:
        raise _unalterable()


def _checked(distances: AnyArray) -> AnyArray:
    """The distances, if none is negative."""
    if (distances < 0).any():
        raise DataError(
            "Negative values in data passed to metric='precomputed': they are no distances."
        )
    return distances


def _unalterable() -> ParameterError:
    return ParameterError(
        "The rows of metric='precomputed' are known by their distances to each other alone: "
        "none can be added or forgotten. Fit the matrix of the rows that there are."
    )
