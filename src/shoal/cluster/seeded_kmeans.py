"""K-means that starts from rows whose class is known."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, Self
from uuid import uuid4

import numpy as np
from sklearn.utils import check_random_state

from shoal import _archive
from shoal._typing import AnyArray
from shoal._validation import check_choice, check_number
from shoal.cluster.center_model import CenterModel
from shoal.cluster.initial_centers import InitialCenters
from shoal.cluster.kmeans import attributes, run_lloyd
from shoal.cluster.summary import summarize
from shoal.data.dataset import Dataset
from shoal.data.validation import fit_dataset, target_role
from shoal.engines.current import current_engine
from shoal.exceptions import DataError, ParameterError
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.fitting import passes_over, restored_on_error
from shoal.solvers.lloyd import Lloyd, Summary
from shoal.statistics.center_search import CenterSearch
from shoal.statistics.known_targets import KnownLabels


class SeededKMeans(CenterModel):
    r"""K-means clustering that starts from labelled rows, and may keep them where they are.

    The first centre of each class is the weighted mean of its labelled rows, the *seeds*; Lloyd's
    algorithm then lowers the inertia :math:`\sum_i w_i |x_i - c_{z_i}|^2` by labels
    :math:`z_i` and centres in turn. With ``constrained=True`` only unlabelled rows go to the
    nearest centre, and seeds stay in the cluster of their class.

    Parameters
    ----------
    n_clusters : int, default=None
        Number of clusters, at least that of the classes; None for as many. Centres beyond the
        classes' are drawn from the rows by k-means++, in proportion to weight and squared distance
        from the centres so far, with a pass for each: for tens, not thousands, of them.
    constrained : bool, default=False
        Whether labelled rows keep their cluster: for labels that are right. Otherwise they only
        start it.
    max_iter : int, default=300
        Most iterations.
    tol : float, default=1e-4
        The fit ends once the squared movement of all centres together is at most `tol` times the
        mean variance of the features.
    verbose : int, default=0
        1 logs a line an iteration to the logger ``"shoal"``.
    random_state : int, RandomState instance or None, default=None
        Seed of centres beyond the classes'.
    metric : {"euclidean", "cosine"}, default="euclidean"
        As for `KMeans`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted: cluster j began with the rows of ``classes_[j]``. Clusters of higher
        numbers are of no class.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Centres, of the type of the data.
    labels_ : ndarray of shape (n_rows,), int32
        Cluster of each row, -1 for dropped ones, for data in memory.
    inertia_ : float
        Weighted sum of squared distances (of 1 - cos) of rows to the centre of their cluster.
    n_iter_ : int
        Iterations taken.
    loss_curve_ : list of float
        Inertia before each iteration, of length `n_iter_`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError
        No label is known, targets are no labels, or all rows of a class have a weight of 0.
    ParameterError
        There are more classes than `n_clusters`.
    FileError, MemoryBudgetError, CheckpointError, EngineError
        See `shoal.exceptions`.

    Warns
    -----
    ConvergenceWarning
        The rows have fewer distinct values than there are clusters.

    Notes
    -----
    Passes, communication and memory are as of `KMeans`, without bounds where labelled rows are
    kept, with 4 bytes a row for labels, one pass over the labelled rows for the first centres and
    one over all for each that is drawn. Sums are fixed point: every fitted attribute is the same
    to the last bit for any engine, threads, workers, budget and files.

    ``predict`` gives the nearest centre of new rows, whatever was known of them. scikit-learn has
    no such estimator.

    References
    ----------
    S. Basu, A. Banerjee and R. J. Mooney, "Semi-supervised clustering by seeding", ICML 2002:
    Seeded-KMeans and Constrained-KMeans.

    Examples
    --------
    >>> from shoal.cluster import SeededKMeans
    >>> X = [[0.0], [1.0], [5.0], [10.0], [11.0]]
    >>> model = SeededKMeans().fit(X, ["low", None, None, None, "high"])
    >>> model.classes_[model.labels_].tolist()
    ['low', 'low', 'low', 'high', 'high']
    >>> model.cluster_centers_.tolist()
    [[10.5], [2.0]]
    """

    classes_: AnyArray

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        constrained: bool = False,
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        metric: str = "euclidean",
    ) -> None:
        self.n_clusters = n_clusters
        self.constrained = constrained
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.metric = metric

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        features: Sequence[str | int] | None = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> Self:
        """Find the centres.

        Parameters
        ----------
        X : path, glob, folder, array-like, sparse matrix, data frame, Dask collection or Dataset
            Whatever `shoal.open_dataset` takes, of shape (n_rows, n_features).
        y : array-like of shape (n_rows,), or column name
            The class of each row: -1, None, NaN or null where it is unknown. Not needed where a
            Dataset has a target.
        sample_weight : array-like of shape (n_rows,) or column name, default=None
            Weight of each row, not negative.
        features : sequence of str or int, default=None
            The columns to cluster by; all but target and weight by default.
        checkpoint : path, default=None
            A file that the fit goes on from if it exists, and that it keeps up to date.

        Returns
        -------
        self
        """
        self._check_parameters()
        with restored_on_error(self):
            target = target_role(self, X, y)
            dataset = fit_dataset(
                self, X, target=target, sample_weight=sample_weight, features=features
            )
            found = KnownLabels.of(dataset)
            self.classes_ = found.classes
            dataset = dataset.with_target(found.codes)
            if self.metric == "cosine":
                dataset = dataset.with_unit_rows()
            self._fit_known(dataset, found.codes >= 0, X, y, checkpoint)
        return self

    def _fit_known(
        self,
        dataset: Dataset,
        known: AnyArray,
        X: Any,
        y: Any,
        checkpoint: str | PathLike[str] | None,
    ) -> None:
        """Fit to a dataset whose targets are positions of classes, or -1 where not `known`."""
        n_clusters = self._n_clusters()
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with passes_over(dataset, self, X, y, max_iter=self.max_iter, verbose=self.verbose) as (
            fold,
            progress,
        ):
            summary = summarize(dataset, fold, n_clusters)
            initial = InitialCenters(n_clusters, summary, seed)
            solver = Lloyd(
                lambda fold: initial.completed(self._seeds(dataset.selected(known), summary), fold),
                summary,
                self.max_iter,
                self.tol * float(summary.moments.variance.mean()),
                bounds=False,
                spherical=self.metric == "cosine",
                pinned=self.constrained,
            )
            saved = self._checkpoint(checkpoint, dataset, seed) if checkpoint else None
            state, loss_curve, assigned = run_lloyd(solver, dataset, fold, progress, saved)
        self.__dict__.update(attributes(state))
        self.loss_curve_ = loss_curve
        self._keep_assigned(assigned)
        self._warn_of_empty_clusters(assigned)

    def _seeds(self, known: Dataset, summary: Summary) -> AnyArray:
        """The weighted mean of the rows of each class. One pass over labelled rows alone."""
        centers = np.zeros((len(self.classes_), len(summary.shift)), dtype=summary.dtype)
        search = CenterSearch(centers, summary.shift, uuid4().hex, 0, pinned=True)
        engine = current_engine()
        found = engine.fold(known, summary.sums(search))
        engine.release(known)
        if not found.weights.all():
            label = self.classes_.tolist()[found.weights.argmin()]
            raise DataError(
                f"All labelled rows of class {label!r} have a weight of 0, so that nothing says "
                "where its cluster begins. Give one some weight, or take the label away."
            )
        means = summary.shift + found.sums / found.weights[:, None]
        return np.ascontiguousarray(means, dtype=summary.dtype)

    def _n_clusters(self) -> int:
        n_classes = len(self.classes_)
        if self.n_clusters is not None and self.n_clusters < n_classes:
            raise ParameterError(
                f"n_clusters={self.n_clusters} is less than the {n_classes} classes of y. Each "
                "class starts a cluster: ask for as many at least."
            )
        return self.n_clusters or n_classes

    def _checkpoint(self, path: str | PathLike[str], dataset: Dataset, seed: int) -> Checkpoint:
        """The checkpoint of a fit, refused for other data or another course of it."""
        course = (type(self).__name__, seed, self._n_clusters(), self.constrained, self.tol)
        parameters = _archive.fingerprint((*course, self.metric))
        return Checkpoint(path, data=dataset.fingerprint, parameters=parameters)

    def _check_parameters(self) -> None:
        check_number(self, "n_clusters", 1, integer=True, optional=True)
        check_number(self, "max_iter", 1, integer=True)
        check_number(self, "tol", 0)
        check_choice(self, "metric", ("euclidean", "cosine"))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
