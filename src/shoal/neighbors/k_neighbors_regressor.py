"""Regression by the nearest rows."""

from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any

import numpy as np

from shoal._typing import Float64Array
from shoal.data.block import Block
from shoal.neighbors.averaging import AveragingRegressor
from shoal.neighbors.k_neighbors import KNeighbors
from shoal.neighbors.weights import Weights, neighbor_weights


class KNeighborsRegressor(AveragingRegressor, KNeighbors):
    r"""Regression by the average of the nearest rows, exact, among data of any size.

    The prediction for a query is :math:`\sum_i w_i y_i / \sum_i w_i` over its `n_neighbors`
    nearest rows.

    Parameters
    ----------
    n_neighbors : int, default=5
    weights : {"uniform", "distance"} or callable, default="uniform"
        What neighbours count for: the same; :math:`1 / d`, where neighbours at distance 0 leave
        nothing to others; or what a function makes of an array of distances, a finite number of
        each.
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
    >>> from shoal.neighbors import KNeighborsRegressor
    >>> model = KNeighborsRegressor(2).fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 0.0, 1.0, 1.0])
    >>> model.predict([[1.5], [9.0]]).tolist()
    [0.5, 1.0]
    """

    def __init__(
        self,
        n_neighbors: int = 5,
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
        self.n_neighbors = n_neighbors
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
            found = self._nearest(block, self.n_neighbors, own)
            weights = neighbor_weights(self.weights, found.distances)
            sums, total = np.zeros((block.n_rows, self._y.shape[1])), np.zeros((block.n_rows, 1))
            # One neighbour after the other: no order of a sum is left to NumPy.
            for weight, rows in zip(weights.T, found.rows.T, strict=True):
                sums += weight[:, None] * self._y[rows]
                total += weight[:, None]
            return sums / total

        return averaged

    def _batches(self, X: Any, out: str | PathLike[str] | None) -> tuple[int, Iterator[Block]]:
        return self._nearest_batches(X, out, 8 * self._y.shape[1])
