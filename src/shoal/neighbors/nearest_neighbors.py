"""Neighbours without a target."""

from collections.abc import Callable
from typing import Any

from shoal.neighbors.k_neighbors import KNeighbors
from shoal.neighbors.radius_neighbors import RadiusNeighbors
from shoal.neighbors.unsupervised_neighbors import UnsupervisedNeighbors


class NearestNeighbors(UnsupervisedNeighbors, KNeighbors, RadiusNeighbors):
    r"""The rows nearest to queries, exact, among data of any size.

    The neighbours of a query :math:`q` are the rows :math:`x_i` of the smallest pairs
    :math:`(d(x_i, q), i)`, with the euclidean :math:`d = \sqrt{\sum_j (x_{ij} - q_j)^2}` or
    another metric, in float64 whatever the type of the data. The answer is the same to the last
    bit for any engine, number of threads or workers, memory budget, files and index.

    Parameters
    ----------
    n_neighbors : int, default=5
    radius : float, default=1.0
    algorithm : {"auto", "brute", "kd_tree", "partition", "hnsw"}, default="auto"
        How neighbours are found; all but ``"hnsw"`` are exact and give the same bits. ``"brute"``
        looks at every row, wherever rows are. ``"kd_tree"`` is SciPy's, for few dimensions.
        ``"partition"`` groups rows by K-means and skips groups that the triangle inequality rules
        out; rows of files that take more than a quarter of the engine's memory are grouped in a
        private file on disk. ``"hnsw"`` is faiss's graph (``pip install 'shoal[hnsw]'``): it
        misses some neighbours. ``"auto"`` chooses an exact one by shape and a sample of the rows.
        On a Dask cluster ``"brute"`` and ``"partition"`` leave rows with the workers, and
        ``"auto"`` chooses one of them; the others hold a copy of the rows in this process, and
        refuse rows that it does not have anyway.
    leaf_size : int, default=30
        Rows of a leaf of ``"kd_tree"``.
    n_probe : int, default=None
        With ``"partition"``: a query looks at the rows of its `n_probe` nearest groups only, and
        misses neighbours in others; `shoal.neighbors.recall` tells how many. There are about as
        many groups as a group has rows, 1024 at most. None: exact.
    metric : str or callable, default="minkowski"
        ``"euclidean"``, ``"sqeuclidean"``, ``"cosine"`` (1 - cos) and ``"inner_product"`` (its
        opposite: the largest come first) run at the speed of a matrix product. These run at that
        of SciPy, by its definitions: ``"manhattan"``, ``"chebyshev"``, ``"minkowski"``,
        ``"seuclidean"``, ``"mahalanobis"``, ``"hamming"``, ``"canberra"``, ``"braycurtis"``,
        ``"correlation"``; of features that are true where they are not 0, ``"jaccard"``,
        ``"dice"``, ``"rogerstanimoto"``, ``"russellrao"``, ``"sokalsneath"``, ``"yule"``; a
        function of two rows; and by scikit-learn ``"haversine"``. A distance that is not defined,
        as the correlation with a constant row, counts as infinite. With ``"precomputed"`` fit
        takes the square matrix of distances between the rows, and queries are their distances to
        these; of a sparse matrix, only stored ones are of neighbours.
    p : float, default=2
        Power of ``"minkowski"``, above 0: 2 is euclidean.
    metric_params : dict, default=None
        Arguments of the metric: ``V``, variances of the features, of ``"seuclidean"``; ``VI``, the
        inverse of a covariance, of ``"mahalanobis"``; ``w``, weights of the features, of SciPy's
        others; or those of the function.
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
        The metric in use: ``"euclidean"`` for Minkowski's of power 2.
    effective_metric_params_ : dict
    n_samples_fit_ : int
        Rows that the model has.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError, FileError, MemoryBudgetError, EngineError
        See `shoal.exceptions`. With ``metric="cosine"`` a row of zeros is a DataError: it has no
        direction.

    Notes
    -----
    A fit reads every row once, to find bad values early. ``"brute"`` copies no row: arrays are kept
    by reference, files are read again, or from the engine's block cache. The other indexes hold
    dense copies, and build them in one or two more passes. On a cluster ``"partition"`` copies
    nothing: workers keep some 6 bytes a row, where there is room, and a batch of queries takes two
    or three passes, which look at rows of groups that matter. When each wins, with measured
    crossovers, is in docs/neighbors.md.

    What approximate indexes find is the same bits for any engine, threads, budget and files too,
    but depends on the order in which rows came: after `partial_fit` and `forget` it need not be
    what a new fit finds, nor after `load_model`, which builds the index again. ``"hnsw"`` may
    differ from one type of processor to another.

    A query costs a multiplication and an addition for each value of each row, in registers:
    rows that a bound on the rounding error cannot rule out are compared in float64.

    Unlike scikit-learn's, float32 data give the neighbours that float64 arithmetic finds; ties go
    to the lower row; rows can be added (`partial_fit`) and taken away (`forget`), but not of a
    precomputed matrix. Rows with missing values are refused or dropped, so there is no
    ``"nan_euclidean"``.

    References
    ----------
    E. Fix and J. L. Hodges, "Discriminatory analysis: nonparametric discrimination, consistency
    properties", USAF School of Aviation Medicine (1951).

    Examples
    --------
    >>> import numpy as np
    >>> from shoal.neighbors import NearestNeighbors
    >>> model = NearestNeighbors(n_neighbors=2).fit([[0.0], [1.0], [4.0], [1.0]])
    >>> distances, rows = model.kneighbors([[1.5]])
    >>> distances.tolist(), rows.tolist()
    ([[0.5, 0.5]], [[1, 3]])
    >>> model.forget([1]).kneighbors([[1.5]], return_distance=False).tolist()
    [[2, 0]]
    """

    def __init__(
        self,
        *,
        n_neighbors: int = 5,
        radius: float = 1.0,
        algorithm: str = "auto",
        leaf_size: int = 30,
        n_probe: int | None = None,
        metric: str | Callable[..., float] = "minkowski",
        p: float = 2,
        metric_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.n_probe = n_probe
        self.metric = metric
        self.p = p
        self.metric_params = metric_params
        self.n_jobs = n_jobs
