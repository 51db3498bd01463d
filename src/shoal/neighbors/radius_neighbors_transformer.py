"""The graph of all rows within a radius, as features."""

from collections.abc import Callable
from typing import Any

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from shoal.neighbors.k_neighbors import check_mode
from shoal.neighbors.radius_neighbors import RadiusNeighbors
from shoal.neighbors.unsupervised_neighbors import UnsupervisedNeighbors


class RadiusNeighborsTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, UnsupervisedNeighbors, RadiusNeighbors
):
    """Rows as their distances to the rows within a radius, exact, among data of any size.

    The graph is what estimators with ``metric="precomputed"`` take, Shoal's and scikit-learn's:
    it is found once for many of them, as in a search of their parameters.

    Parameters
    ----------
    mode : {"distance", "connectivity"}, default="distance"
        Whether edges are distances or 1. A row of the fit is within the radius of itself; those
        that take the graph leave it out.
    radius : float, default=1.0
    algorithm : {"auto", "brute", "kd_tree", "partition", "hnsw"}, default="auto"
        As for `NearestNeighbors`.
    leaf_size : int, default=30
        Rows of a leaf of ``"kd_tree"``.
    n_probe : int, default=None
        Groups of ``"partition"`` that a query looks at, as for `NearestNeighbors`; None: exact.
    metric : str or callable, default="minkowski"
        As for `NearestNeighbors`.
    p : float, default=2
        Power of ``"minkowski"``: 2 is euclidean.
    metric_params : dict, default=None
        More arguments of the metric.
    n_jobs : int, default=None
        Accepted for scikit-learn's sake: the engine decides on threads and workers.

    Attributes
    ----------
    algorithm_, index_, effective_metric_, effective_metric_params_, n_samples_fit_ :
        As of `NearestNeighbors`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError, FileError, MemoryBudgetError, EngineError
        See `shoal.exceptions`.

    Notes
    -----
    A fit reads every row once; `transform` is a pass over these for every 32 MB of queries, with
    memory of 16 bytes a query and row in its reach.

    Unlike scikit-learn's, it takes rows and queries on disk or on a cluster, and rows can be added
    (`partial_fit`) and taken away (`forget`).

    References
    ----------
    E. Fix and J. L. Hodges, "Discriminatory analysis: nonparametric discrimination, consistency
    properties", USAF School of Aviation Medicine (1951).

    Examples
    --------
    >>> from shoal.neighbors import RadiusNeighborsTransformer
    >>> graph = RadiusNeighborsTransformer(radius=1.5).fit_transform([[0.0], [1.0], [3.0]])
    >>> graph.toarray().tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def __init__(
        self,
        *,
        mode: str = "distance",
        radius: float = 1.0,
        algorithm: str = "auto",
        leaf_size: int = 30,
        n_probe: int | None = None,
        metric: str | Callable[..., float] = "minkowski",
        p: float = 2,
        metric_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.mode = mode
        self.radius = radius
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.n_probe = n_probe
        self.metric = metric
        self.p = p
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    def transform(self, X: Any) -> Any:
        """Give the graph of all rows within the radius of each query.

        Parameters
        ----------
        X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
            The queries.

        Returns
        -------
        graph : scipy.sparse.csr_matrix of shape (n_queries, n_samples_fit), float64
            Nearest first.

        Raises
        ------
        NotFittedError, DataError, FileError
        """
        return self.radius_neighbors_graph(X, mode=self.mode, sort_results=True)

    @property
    def _n_features_out(self) -> int:
        return self.n_samples_fit_

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_mode(self.mode)
