"""What near means: distances between queries and rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Real
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

#: Metrics by SciPy: of numbers, and of truth values, for which numbers other than 0 are true. It
#: takes each pair on its own, so blocks leave no trace in the bits.
_NUMBER_METRICS = (
    "manhattan",
    "chebyshev",
    "minkowski",
    "seuclidean",
    "mahalanobis",
    "hamming",
    "canberra",
    "braycurtis",
    "correlation",
)
_TRUTH_METRICS = ("jaccard", "dice", "rogerstanimoto", "russellrao", "sokalsneath", "yule")
_SCIPY_METRICS = (*_NUMBER_METRICS, *_TRUTH_METRICS)
_SCIPY_NAMES = {"manhattan": "cityblock"}

NAMES = (*TILE_METRICS, *_SCIPY_METRICS, "haversine", "precomputed")

_SAME_NAMES = {
    "l2": "euclidean",
    "l1": "manhattan",
    "cityblock": "manhattan",
    "infinity": "chebyshev",
    "p": "minkowski",
}

#: Arrays that metrics take, and do not do without; others of SciPy may take weights of features.
_MATRICES = {"seuclidean": "V", "mahalanobis": "VI"}

#: Of a strip of rows that is made dense, or whose distances to all queries are held.
_STRIP_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by name, with its parameters.

    Parameters
    ----------
    name : str or callable
        One of `NAMES`, or a function of two rows.
    parameters : mapping, default={}
        Keyword arguments: ``p`` of Minkowski's, weights ``w`` of features, variances ``V``, the
        inverse ``VI`` of a covariance, or the callable's own.
    """

    name: str | Callable[..., float]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, name: Any, p: float, parameters: Mapping[str, Any] | None) -> "Metric":
        """The metric that scikit-learn's ``metric``, ``p`` and ``metric_params`` mean."""
        if not isinstance(parameters, Mapping | None):
            raise ParameterError(f"metric_params={parameters!r}: it is a dict or None.")
        if callable(name):
            return cls(name, dict(parameters or {}))
        parameters = {key: one for key, one in (parameters or {}).items() if one is not None}
        name = _SAME_NAMES.get(str(name), name)
        _check_name(name)
        _check_parameters(name, parameters)
        p = parameters.pop("p", p)
        _check_power(p)
        if name != "minkowski":
            return cls(name, parameters)
        special = {1: "manhattan", 2: "euclidean", np.inf: "chebyshev"}
        if p in special and "w" not in parameters:
            return cls(special[p])
        return cls(name, {"p": p} | parameters)

    @property
    def is_on_tile(self) -> bool:
        return self.name in TILE_METRICS

    @property
    def is_euclidean(self) -> bool:
        """Whether neighbours are those by euclidean distances of the rows, or of unit rows."""
        return self.name in {"euclidean", "sqeuclidean", "cosine"}

    @property
    def absent(self) -> float:
        """What a value means that a sparse matrix does not store."""
        return np.inf if self.name == "precomputed" else 0.0

    def dtype(self, *dtypes: Any) -> np.dtype[Any]:
        """The type that rows and queries of these types are compared in.

        Rows are scaled to unit length in float64, so that rounding them moves no neighbour.
        """
        return np.result_type(*dtypes, *([np.float64] if self.name == "cosine" else []))

    def check_width(self, n_features: int) -> None:
        """Raise an error where the metric or its parameters do not take so many features."""
        if self.name == "haversine" and n_features != 2:
            raise DataError(
                f"metric='haversine' takes latitude and longitude in radians, but the rows have "
                f"{n_features} features. Choose these two."
            )
        if not callable(self.name):
            for key in self.parameters.keys() & {"w", "V", "VI"}:
                _check_array(self.name, key, self.parameters[key], n_features)

    def distances(self, reduced: Float64Array) -> Float64Array:
        """Distances from what the tile works with; those of other metrics are distances."""
        if self.name == "euclidean":
            return np.sqrt(reduced)
        return reduced / 2 if self.name == "cosine" else reduced

    def reduced(self, distance: float) -> float:
        """The largest of what the tile works with that is at most this distance."""
        if self.name == "euclidean":
            return _square_within(distance)
        return 2 * distance if self.name == "cosine" else distance

    def pairwise(self, queries: AnyArray, rows: AnyArray) -> Float64Array:
        """Distances in float64, shape (n_queries, n_rows), for metrics that are not on the tile.

        Undefined ones are infinite: such rows are the farthest, as are two rows without a true
        value by Dice's.
        """
        if self.name == "haversine":
            found: Float64Array = haversine_distances(queries, rows)
            return found
        name: Any = self.name if callable(self.name) else _SCIPY_NAMES.get(self.name, self.name)
        if name in _TRUTH_METRICS:
            queries, rows = queries != 0, rows != 0
        distances = np.asarray(cdist(queries, rows, name, **self.parameters), dtype=np.float64)
        distances[np.isnan(distances)] = np.inf
        return distances


def _square_within(root: float) -> float:
    """The largest number whose square root, as rounded, is at most `root`, which is not negative.

    That is a little more than the square of `root`: roots of several numbers round to one.
    """
    square = np.float64(root * root)
    while np.sqrt(square) > root:
        square = np.nextafter(square, 0)
    while np.isfinite(square) and np.sqrt(np.nextafter(square, np.inf)) <= root:
        square = np.nextafter(square, np.inf)
    return float(square)


def _check_name(name: Any) -> None:
    """Raise ParameterError unless there is a metric of this name."""
    if name == "nan_euclidean":
        raise ParameterError(
            "metric='nan_euclidean' is for rows with missing values, which no neighbour may have "
            "here. Impute them, or open the rows by open_dataset(..., missing='drop'), and take "
            "'euclidean'."
        )
    if name not in NAMES:
        listed = ", ".join(map(repr, NAMES))
        raise ParameterError(
            f"metric={name!r} is not known. It is {listed} or a function of two rows."
        )


def _check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    """Raise ParameterError unless these are parameters of the metric, and none is missing."""
    needed = {_MATRICES[name]} if name in _MATRICES else set()
    optional = {"w"} if name in _SCIPY_METRICS and name not in _MATRICES else set()
    known = needed | optional | ({"p"} if name == "minkowski" else set())
    unknown = parameters.keys() - known
    if unknown:
        raise ParameterError(
            f"metric={name!r} has no parameter {min(unknown, key=str)!r} in metric_params; it has "
            f"{', '.join(map(repr, sorted(known))) or 'none'}."
        )
    for key in needed - parameters.keys():
        raise ParameterError(
            f"metric={name!r} needs metric_params={{{key!r}: ...}}: "
            f"{'the variance of each feature' if key == 'V' else 'the inverse of a covariance'}."
        )


def _check_power(p: Any) -> None:
    """Raise ParameterError unless Minkowski's sum can be taken to this power."""
    if isinstance(p, bool) or not isinstance(p, Real) or not float(p) > 0:
        raise ParameterError(f"'p' of metric='minkowski' must be a number above 0. Got {p!r}.")


def _check_array(metric: str, key: str, value: Any, n_features: int) -> None:
    """Raise ParameterError unless an array of a metric suits so many features."""
    shape = (n_features, n_features) if key == "VI" else (n_features,)
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or array.shape != shape or not np.isfinite(array).all():
        raise ParameterError(
            f"{key!r} of metric={metric!r} must be finite numbers of shape {shape}, for "
            f"{n_features} features. Got {array.dtype} of shape {array.shape}."
        )
    if (key == "V" and (array <= 0).any()) or (key == "w" and (array < 0).any()):
        raise ParameterError(
            f"{key!r} of metric={metric!r} must be {'above' if key == 'V' else 'at least'} 0. "
            f"Got {array.min()}."
        )


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
