"""Regression by all rows within a radius."""

import warnings
from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any

import numpy as np

from shoal._typing import Float64Array
from shoal.data.block import Block
from shoal.neighbors.averaging import AveragingRegressor
from shoal.neighbors.radius_neighbors import QUERY_BYTES, RadiusNeighbors
from shoal.neighbors.weights import Weights, pair_weights


class RadiusNeighborsRegressor(AveragingRegressor, RadiusNeighbors):
    r"""Regression by the average of all rows within a radius, exact, among data of any size.

    The prediction for a query is :math:`\sum_i w_i y_i / \sum_i w_i` over the rows at a distance
    of at most `radius`.

    Parameters
    ----------
    radius : float, default=1.0
    weights : {"uniform", "distance"} or callable, default="uniform"
        What neighbours count for: the same; :math:`1 / d`, where neighbours at distance 0 leave
        nothing to others; or what a function makes of the array of a query's distances: a finite
        number for each, as many as there are neighbours.
    algorithm : {"auto", "brute", "kd_tree", "partition", "hnsw"}, default="auto"
        As for `NearestNeighbors`.
    leaf_size : int, default=30
        Rows of a leaf of ``"kd_tree"``.
    n_probe : int, default=None
        Groups of ``"partition"`` that a query looks at, as for `NearestNeighbors`; None: exact.
    p : float, default=2
        Power of ``"minkowski"``: 2 is euclidean.
    metric : str or callable, default="minkowski"
        As for `NearestNeighbors`.
    metric_params : dict, default=None
        More arguments of the metric.
    n_jobs : int, default=None
        Accepted for scikit-learn's sake: the engine decides on threads and workers.

    Attributes
    ----------
    algorithm_ : str
        The index in use: what ``"auto"`` chose.
    index_ : Index
        The rows, and how neighbours are found among them. ``pickle`` stores it; `save_model`
        stores rows that are in memory, to build it again.
    effective_metric_ : str or callable
    effective_metric_params_ : dict
    n_samples_fit_ : int
        Rows that the model has.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError, FileError, MemoryBudgetError, EngineError
        See `shoal.exceptions`.

    Warns
    -----
    UserWarning
        A query has no neighbour: its prediction is NaN.

    Notes
    -----
    A fit reads every row once, and keeps targets in memory; a prediction is a pass over the
    model's rows for every 32 MB of queries. Targets are added in the order of the
    neighbours, so predictions are the same to the last bit for any engine, budget and index.

    Unlike scikit-learn's, it takes rows and queries on disk or on a cluster, and rows can be added
    (`partial_fit`) and taken away (`forget`).

    References
    ----------
    N. S. Altman, "An introduction to kernel and nearest-neighbor nonparametric regression", The
    American Statistician 46 (1992).

    Examples
    --------
    >>> from shoal.neighbors import RadiusNeighborsRegressor
    >>> model = RadiusNeighborsRegressor(1.0).fit([[0.0], [1.0], [2.0]], [0.0, 0.5, 1.0])
    >>> model.predict([[0.5]]).tolist()
    [0.25]
    """

    def __init__(
        self,
        radius: float = 1.0,
        *,
        weights: Weights = "uniform",
        algorithm: str = "auto",
        leaf_size: int = 30,
        n_probe: int | None = None,
        p: float = 2,
        metric: str | Callable[..., float] = "minkowski",
        metric_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.radius = radius
        self.weights = weights
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.n_probe = n_probe
        self.p = p
        self.metric = metric
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    def _averaged(self, own: bool) -> Callable[[Block], Float64Array]:
        def averaged(block: Block) -> Float64Array:
            found = self._found(block, None, own)
            n_queries = block.n_rows
            weights = pair_weights(self.weights, found.distances, found.queries, n_queries)
            total = np.bincount(found.queries, weights, minlength=n_queries)
            sums = [
                np.bincount(found.queries, weights * values[found.rows], minlength=n_queries)
                for values in self._y.T
            ]
            if len(np.unique(found.queries)) < n_queries:
                warnings.warn(
                    "One or more samples have no neighbors within specified radius; predicting "
                    "NaN.",
                    stacklevel=5,
                )
            with np.errstate(invalid="ignore"):
                return np.stack(sums, axis=1) / total[:, None]

        return averaged

    def _batches(self, X: Any, out: str | PathLike[str] | None) -> tuple[int, Iterator[Block]]:
        n_queries, batches = self._queries(X, out)
        return n_queries, batches(QUERY_BYTES + 8 * self._y.shape[1])
