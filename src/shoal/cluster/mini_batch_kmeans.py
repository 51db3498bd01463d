"""K-means from small batches of rows."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from shoal._typing import AnyArray
from shoal._validation import check_number
from shoal.cluster.center_model import CenterModel
from shoal.cluster.initial_centers import InitialCenters, sample_size
from shoal.cluster.summary import summarize
from shoal.data.dataset import Dataset
from shoal.data.validation import predict_dataset
from shoal.solvers.driver import run
from shoal.solvers.lloyd import Summary
from shoal.solvers.mini_batch_lloyd import MiniBatchLloyd, MiniBatchState
from shoal.solvers.solver import Fold
from shoal.statistics.assignment import Assigned, Assignment
from shoal.statistics.center_search import CenterSearch
from shoal.statistics.nearest_center import nearest_center
from shoal.statistics.purpose import Purpose


class MiniBatchKMeans(CenterModel):
    r"""K-means from small random batches of rows: less exact than `KMeans`, in fewer passes.

    Each centre is the running mean of the rows that were nearest to it when they were met. A
    pass draws up to 65,536 rows (fewer where they are wide) without replacement and takes
    mini-batches from these; where there are no more rows than that, a pass is an epoch. Batches
    depend on `random_state` and row numbers alone, so fitted attributes are the same to the last
    bit for any engine, number of threads or workers, and memory budget.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    init : {"k-means++", "k-means||", "random"}, callable or array-like of shape \
            (n_clusters, n_features), default="k-means++"
        First centres, as of `KMeans`.
    max_iter : int, default=100
        Most times that as many rows as there are may be taken.
    batch_size : int, default=1024
        Rows of a mini-batch.
    verbose : int, default=0
        1 logs a line a pass.
    compute_labels : bool, default=True
        Whether a last pass finds labels (for data in memory) and inertia.
    random_state : int, RandomState instance or None, default=None
        Seed of first centres and batches.
    tol : float, default=0.0
        Ends once the squared movement of all centres in a mini-batch is at most `tol` times the
        mean variance of the features; 0: never.
    max_no_improvement : int or None, default=10
        Ends after so many mini-batches that do not lower the smoothed inertia; None: never.
    init_size : int, default=None
        Rows that first centres are chosen from; by default as many as `KMeans` takes.
    n_init : int or "auto", default="auto"
        Number of first centres tried; those with the least inertia on a sample are used.
        ``"auto"``: 3 for ``"random"`` or a callable, else 1.
    reassignment_ratio : float, default=0.01
        Centres with less than this share of the largest centre's rows are moved to random rows.
    metric : {"euclidean", "cosine"}, default="euclidean"
        As of `KMeans`.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
    labels_ : ndarray of shape (n_rows,), int32
        For data in memory, with `compute_labels`.
    inertia_ : float
        With `compute_labels` that of all rows, else an estimate from the smoothed inertia.
    n_iter_ : int
        How many times as many rows as there are were taken, rounded up.
    n_steps_ : int
        Mini-batches taken.
    cluster_weights_ : ndarray of shape (n_clusters,), float64
        Sum of the weights of the rows that each centre is the mean of.
    n_rows_since_reassignment_ : int
        Rows taken since centres with few rows were last moved.
    loss_curve_ : list of float
        Smoothed inertia a row after each pass.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object

    Raises
    ------
    DataError, FileError, MemoryBudgetError, EngineError

    Warns
    -----
    ConvergenceWarning
        With `compute_labels`: the rows have fewer distinct values than there are clusters.
    RuntimeWarning
        Centres are given, and `n_init` is more than 1: there is one run.

    Notes
    -----
    Passes: two to find range and variance, one for first centres (and one more to choose among
    several), one for each 65,536 rows taken, one for labels and inertia. Memory: a pool of rows
    of at most 64 MB of float32. Unlike scikit-learn, rows of a pass are drawn without
    replacement, and are weighted alike whatever the number of threads.

    References
    ----------
    D. Sculley, "Web-scale k-means clustering", WWW 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from shoal.cluster import MiniBatchKMeans
    >>> X = np.repeat([[0.0, 0.0], [8.0, 8.0]], 50, axis=0)
    >>> model = MiniBatchKMeans(2, batch_size=10, random_state=0).fit(X)
    >>> sorted(model.cluster_centers_.tolist())
    [[0.0, 0.0], [8.0, 8.0]]
    >>> model.partial_fit([[8.0, 8.0], [0.0, 0.0]]).n_steps_ > 1
    True
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: str | ArrayLike | Callable[..., Any] = "k-means++",
        max_iter: int = 100,
        batch_size: int = 1024,
        verbose: int = 0,
        compute_labels: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 0.0,
        max_no_improvement: int | None = 10,
        init_size: int | None = None,
        n_init: int | Literal["auto"] = "auto",
        reassignment_ratio: float = 0.01,
        metric: str = "euclidean",
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.verbose = verbose
        self.compute_labels = compute_labels
        self.random_state = random_state
        self.tol = tol
        self.max_no_improvement = max_no_improvement
        self.init_size = init_size
        self.n_init = n_init
        self.reassignment_ratio = reassignment_ratio
        self.metric = metric

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        features: Sequence[str | int] | None = None,
    ) -> Self:
        """Find the centres.

        Parameters
        ----------
        X : path, glob, folder, array-like, sparse matrix, data frame, Dask collection or Dataset
            Whatever `shoal.open_dataset` takes, of shape (n_rows, n_features).
        y : ignored
        sample_weight : array-like of shape (n_rows,) or column name, default=None
        features : sequence of str or int, default=None
            The columns to cluster by; all by default.

        Returns
        -------
        self
        """
        self._check_parameters()
        n_runs = self._n_runs(3)
        with self._fitting(X, sample_weight, features, 1) as (dataset, fold, progress):
            summary = summarize(dataset, fold, self.n_clusters)
            solver = self._solver(summary, n_runs)
            state, _, self.loss_curve_ = run(solver, fold, progress=progress)
            self._keep(state)
            n_rows = summary.range.n_rows
            self.n_iter_ = math.ceil(state.n_steps * solver.batch_size / n_rows)
            if self.compute_labels:
                self._warn_of_empty_clusters(self._label(dataset, summary, fold))
            else:
                self.inertia_ = (state.smoothed_inertia or 0.0) * n_rows
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Take the rows of `X` as one mini-batch.

        Parameters
        ----------
        X : as for `fit`, with all rows in memory at once
        y : ignored
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        self
        """
        self._check_parameters()
        begun = hasattr(self, "cluster_weights_")
        if begun:
            predict_dataset(self, X)
        with self._fitting(X, sample_weight, None, 1) as (dataset, fold, _):
            summary = summarize(dataset, fold, 1 if begun else self.n_clusters)
            solver = self._solver(summary, self._n_runs(3))
            state = self._state(summary.dtype) if begun else solver.init(fold)
            batch = solver.draw(dataset.n_rows, state.n_steps, fold)
            self._keep(solver.follow(state, batch))
            if self.compute_labels:
                self._label(dataset, summary, fold)
        return self

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "batch_size", 1, integer=True)
        check_number(self, "max_no_improvement", 0, integer=True, optional=True)
        check_number(self, "init_size", 1, integer=True, optional=True)
        check_number(self, "reassignment_ratio", 0)

    def _solver(self, summary: Summary, n_runs: int) -> MiniBatchLloyd:
        n_rows, n_features = summary.range.n_rows, len(summary.shift)
        batch_size = min(self.batch_size, n_rows)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        n_batches = max(1, sample_size(1, n_features) // batch_size)
        return MiniBatchLloyd(
            partial(self._first_centers, summary, seed, n_runs),
            summary,
            batch_size,
            n_batches * batch_size,
            max(1, self.max_iter * n_rows // batch_size),
            self.tol * float(summary.moments.variance.mean()),
            self.max_no_improvement,
            self.reassignment_ratio,
            seed,
            Purpose.MINI_BATCHES,
            spherical=self.metric == "cosine",
        )

    def _first_centers(self, summary: Summary, seed: int, n_runs: int, fold: Fold) -> AnyArray:
        """The best of `n_runs` first centres, by inertia on a sample where there are several."""
        tried = [
            InitialCenters(self.n_clusters, summary, seed + number, self.init_size).chosen(
                self.init
            )(fold)
            for number in range(n_runs)
        ]
        if n_runs == 1:
            return tried[0]
        sample = InitialCenters(self.n_clusters, summary, seed).sample(fold)

        def inertia(centers: AnyArray) -> float:
            return float(nearest_center(sample.X, centers, summary.shift)[1].sum())

        return min(tried, key=inertia)

    def _state(self, dtype: np.dtype[Any]) -> MiniBatchState:
        """Where `partial_fit` goes on from."""
        return MiniBatchState(
            0,
            None,
            np.ascontiguousarray(self.cluster_centers_, dtype=dtype),
            self.cluster_weights_,
            self.n_steps_,
            self.n_rows_since_reassignment_,
        )

    def _keep(self, state: MiniBatchState) -> None:
        """Set the fitted attributes that are known without a last pass."""
        self.cluster_centers_ = state.centers
        self.cluster_weights_ = state.weights
        self.n_steps_ = state.n_steps
        self.n_rows_since_reassignment_ = state.rows_since_reassignment
        for name in ("labels_", "inertia_"):
            self.__dict__.pop(name, None)

    def _label(self, dataset: Dataset, summary: Summary, fold: Fold) -> Assigned:
        """Find labels and inertia. One pass."""
        search = CenterSearch(self.cluster_centers_, summary.shift, "label", 0)
        n_labels = dataset.n_rows if dataset.source.in_process else 0
        assigned = fold(Assignment.within(summary.range, search, n_labels))
        self._keep_assigned(assigned)
        return assigned
