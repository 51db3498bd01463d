"""What near means: distances between queries and rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import haversine_distances

from shoal._typing import AnyArray, Float64Array, Int64Array, Matrix
from shoal.data.block import Block
from shoal.exceptions import DataError, ParameterError

#: Metrics of the register tile: it works with squared distances (of unit rows, for cosine) or
#: minus the inner product.
TILE_METRICS = ("euclidean", "sqeuclidean", "cosine", "inner_product")

_SCIPY_NAMES = {
    "manhattan": "cityblock",
    "chebyshev": "chebyshev",
    "minkowski": "minkowski",
    "hamming": "hamming",
}
_SAME_NAMES = {"l2": "euclidean", "l1": "manhattan", "cityblock": "manhattan"}

#: Of a strip of rows that is made dense, or whose distances to all queries are held.
_STRIP_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by name, with its parameters.

    Parameters
    ----------
    name : str or callable
        One of ``Metric.NAMES``, or a function of two rows.
    parameters : mapping, default={}
        Keyword arguments: ``p`` and ``w`` of Minkowski's, or the callable's own.
    """

    name: str | Callable[..., float]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, name: Any, p: float, parameters: Mapping[str, Any] | None) -> "Metric":
        """The metric that scikit-learn's ``metric``, ``p`` and ``metric_params`` mean."""
        parameters = dict(parameters or {})
        name = name if callable(name) else _SAME_NAMES.get(name, name)
        if name == "minkowski":
            p = parameters.pop("p", p)
            special = {1: "manhattan", 2: "euclidean", np.inf: "chebyshev"}
            if p in special and parameters.get("w") is None:
                return cls(special[p])
            return cls(name, {"p": p} | parameters)
        if not callable(name) and name not in (*TILE_METRICS, *_SCIPY_NAMES, "haversine"):
            raise ParameterError(
                f"metric={name!r} is not known. It is 'euclidean', 'sqeuclidean', 'cosine', "
                "'inner_product', 'manhattan', 'chebyshev', 'minkowski', 'hamming', 'haversine' "
                "or a function of two rows."
            )
        return cls(name, parameters)

    @property
    def is_on_tile(self) -> bool:
        return self.name in TILE_METRICS

    @property
    def is_euclidean(self) -> bool:
        """Whether neighbours are those by euclidean distances of the rows, or of unit rows."""
        return self.name in {"euclidean", "sqeuclidean", "cosine"}

    def dtype(self, *dtypes: Any) -> np.dtype[Any]:
        """The type that rows and queries of these types are compared in.

        Rows are scaled to unit length in float64, so that rounding them moves no neighbour.
        """
        return np.result_type(*dtypes, *([np.float64] if self.name == "cosine" else []))

    def check_width(self, n_features: int) -> None:
        """Raise DataError where the metric does not take so many features."""
        if self.name == "haversine" and n_features != 2:
            raise DataError(
                f"metric='haversine' takes latitude and longitude in radians, but the rows have "
                f"{n_features} features. Choose these two."
            )

    def distances(self, reduced: Float64Array) -> Float64Array:
        """Distances from what the tile works with; those of other metrics are distances."""
        if self.name == "euclidean":
            return np.sqrt(reduced)
        return reduced / 2 if self.name == "cosine" else reduced

    def reduced(self, distance: float) -> float:
        """What the tile works with for a distance."""
        if self.name == "euclidean":
            return distance * distance
        return 2 * distance if self.name == "cosine" else distance

    def pairwise(self, queries: AnyArray, rows: AnyArray) -> Float64Array:
        """Distances in float64, shape (n_queries, n_rows), for metrics that are not on the tile."""
        if self.name == "haversine":
            found: Float64Array = haversine_distances(queries, rows)
            return found
        name = self.name if callable(self.name) else _SCIPY_NAMES[self.name]
        return np.asarray(cdist(queries, rows, name, **self.parameters), dtype=np.float64)


def row_strips(
    block: Block, removed: Int64Array, beside_row_bytes: int = 0
) -> Iterator[tuple[AnyArray, Int64Array]]:
    """The rows of a block with their numbers, dense and each contiguous, a few at a time.

    Rows whose numbers are in `removed`, which is sorted, are numbered -1. A whole block of such
    rows is one strip, unless something of `beside_row_bytes` a row is to be made of each.
    """
    numbers = block.row_numbers
    if len(removed):
        numbers = np.where(is_among(numbers, removed), -1, numbers)
    step = max(64, _STRIP_BYTES // (8 * block.X.shape[1] + beside_row_bytes))
    if not beside_row_bytes and _has_contiguous_rows(block.X):
        step = block.n_rows
    for start in range(0, block.n_rows, step):
        rows = block.X[start : start + step]
        if not isinstance(rows, np.ndarray):
            rows = rows.toarray()
        elif not _has_contiguous_rows(rows):
            rows = np.ascontiguousarray(rows)
        yield rows, numbers[start : start + step]


def kept_strips(
    block: Block, removed: Int64Array, beside_row_bytes: int
) -> Iterator[tuple[AnyArray, Int64Array]]:
    """As `row_strips`, without the removed rows."""
    for rows, numbers in row_strips(block, removed, beside_row_bytes):
        kept = numbers >= 0
        if kept.any():
            yield rows[kept], numbers[kept]


def is_among(numbers: Int64Array, some: Int64Array) -> AnyArray:
    """Whether each number is among some sorted ones, at least one."""
    places = np.minimum(np.searchsorted(some, numbers), len(some) - 1)
    found: AnyArray = some[places] == numbers
    return found


def _has_contiguous_rows(X: Matrix) -> bool:
    return isinstance(X, np.ndarray) and X.strides[1] == X.itemsize
