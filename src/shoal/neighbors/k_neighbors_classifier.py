"""Classification by the nearest rows."""

from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any

import numpy as np

from shoal._typing import Float64Array, Int64Array
from shoal.data.block import Block
from shoal.neighbors.k_neighbors import KNeighbors
from shoal.neighbors.voting import VotingClassifier, check_votes
from shoal.neighbors.weights import Weights, neighbor_weights


class KNeighborsClassifier(VotingClassifier, KNeighbors):
    r"""Classification by the votes of the nearest rows, exact, among data of any size.

    The label of a query is the class :math:`c` of the largest :math:`\sum_i w_i [y_i = c]` over
    its `n_neighbors` nearest rows, the first of equal ones.

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
    classes_ : ndarray of shape (n_classes,), or list of one for each output
        Ascending.
    outputs_2d_ : bool
        Whether there are several outputs.
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
    DataConversionWarning
        Targets are a matrix of one column, and are taken as a vector.

    Notes
    -----
    A fit reads every row once, and keeps targets in memory; a prediction is a pass over the
    model's rows for every 32 MB of queries. Votes are added in the order of the
    neighbours, so predictions are the same to the last bit for any engine, budget and index.

    Unlike scikit-learn's, it takes rows and queries on disk or on a cluster, and rows can be added
    (`partial_fit`) and taken away (`forget`).

    References
    ----------
    T. M. Cover and P. E. Hart, "Nearest neighbor pattern classification", IEEE Trans. Inf. Theory
    13 (1967).

    Examples
    --------
    >>> from shoal.neighbors import KNeighborsClassifier
    >>> model = KNeighborsClassifier(3).fit([[0.0], [1.0], [2.0], [3.0]], ["a", "a", "b", "b"])
    >>> model.predict([[1.1]]).tolist(), model.predict_proba([[0.9]]).round(2).tolist()
    (['a'], [[0.67, 0.33]])
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

    def _voters(self, own: bool) -> Callable[[Block], tuple[Int64Array, Int64Array, Float64Array]]:
        def voters(block: Block) -> tuple[Int64Array, Int64Array, Float64Array]:
            found = self._nearest(block, self.n_neighbors, own)
            weights = neighbor_weights(self.weights, found.distances).ravel()
            queries = np.repeat(np.arange(block.n_rows), self.n_neighbors)
            check_votes(weights, queries, block.n_rows)
            return queries, found.rows.ravel(), weights

        return voters

    def _batches(self, X: Any, out: str | PathLike[str] | None) -> tuple[int, Iterator[Block]]:
        return self._nearest_batches(X, out, 16 * sum(map(len, self._classes)))
