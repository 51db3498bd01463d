"""K-means."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from shoal import _archive
from shoal._validation import check_choice
from shoal.callbacks import FitProgress
from shoal.cluster.center_model import CenterModel
from shoal.cluster.initial_centers import InitialCenters
from shoal.cluster.summary import summarize
from shoal.data.dataset import Dataset
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.driver import run
from shoal.solvers.lloyd import Lloyd, LloydState, Summary
from shoal.solvers.solver import Fold
from shoal.statistics.assignment import Assigned, Assignment

#: Multiply-adds a row below which looking at every centre costs less than keeping bounds.
LEAST_BOUNDED_WORK = 1024


class KMeans(CenterModel):
    r"""K-means clustering by Lloyd's algorithm, exact, on data of any size.

    Finds centres :math:`c_1, \dots, c_k` that locally minimise the inertia

    .. math:: \sum_i w_i \min_j |x_i - c_j|^2 .

    Every fitted attribute is the same to the last bit for any engine, number of threads or
    workers, memory budget, way of splitting the rows into files, and after any worker's death.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    init : {"k-means++", "k-means||", "random"}, callable or array-like of shape \
            (n_clusters, n_features), default="k-means++"
        First centres. ``"k-means++"``: greedy k-means++ on a uniform random sample of at least
        ``16 * n_clusters`` rows (65,536 where that is at most 64 MB of float32; all rows, if
        there are fewer). ``"k-means||"``: k-means|| over all rows, in seven passes. ``"random"``:
        rows drawn in proportion to their weight. A callable is given such a sample, `n_clusters`
        and ``random_state=``.
    n_init : int or "auto", default="auto"
        Number of runs from different first centres; the one with the least inertia is kept.
        ``"auto"``: 10 for ``"random"`` or a callable, else 1.
    max_iter : int, default=300
        Most iterations of a run.
    tol : float, default=1e-4
        A run ends once the squared movement of all centres together is at most `tol` times the
        mean variance of the features.
    verbose : int, default=0
        1 logs a line an iteration to the logger ``"shoal"``. A progress bar shows by itself in
        a terminal or notebook on fits longer than two seconds.
    random_state : int, RandomState instance or None, default=None
        Seed of the first centres.
    copy_x : bool, default=True
        Accepted for scikit-learn's sake: data are never changed, so nothing is copied.
    algorithm : {"auto", "lloyd", "hamerly"}, default="auto"
        How rows find their centre; all give the same bits. ``"lloyd"`` looks at all centres;
        ``"hamerly"`` keeps bounds on distances and skips rows that they settle; ``"auto"`` chooses
        by shape.
    metric : {"euclidean", "cosine"}, default="euclidean"
        ``"cosine"`` is spherical K-means: rows and centres are scaled to unit length, and
        distances are 1 - cos.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Centres, of the type of the data: float32 stays float32.
    labels_ : ndarray of shape (n_rows,), int32
        Label of each row, -1 for dropped ones, for data in memory. For data on disk use
        ``predict(X, out=...)``.
    inertia_ : float
        Weighted sum of squared distances (of 1 - cos) of rows to their centre.
    n_iter_ : int
        Iterations of the kept run.
    loss_curve_ : list of float
        Inertia before each iteration of the kept run, of length `n_iter_`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError, FileError, MemoryBudgetError, CheckpointError, EngineError
        See `shoal.exceptions`; each also is the ValueError, OSError, ... of its kind.

    Warns
    -----
    ConvergenceWarning
        The rows have fewer distinct values than there are clusters.
    RuntimeWarning
        Centres are given, and `n_init` is more than 1: there is one run.

    Notes
    -----
    Passes: two to find range and variance, one for the first centres (seven for k-means||), one
    an iteration, one for labels and inertia. Work O(n_rows n_clusters n_features) an iteration;
    with bounds, of the rows that are not settled only.

    First centres by k-means++ take O(n_sampled n_clusters n_features log n_clusters) on one thread,
    and k-means|| ends so with 10 n_clusters candidates: some seconds at 1,000 clusters, but both
    grow as the square of n_clusters. With tens of thousands take ``init="random"``: one pass.

    Memory: 4 bytes a row beside the data, 20 with bounds, and up to n_features for the sums of
    blocks, all only where the budget allows. What is communicated an iteration is the centres to
    each worker and ``8 * n_clusters * n_features`` bytes (twice that for float64) back.

    Sums are fixed-point integers: exact, in any order. Rows are centred before distances are
    taken by :math:`x \cdot c - |c|^2 / 2`, and near ties are decided in float64 by
    :math:`\sum (x - c)^2`, ties to the lowest label.

    References
    ----------
    S. Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28 (1982).
    D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    B. Bahmani et al., "Scalable k-means++", PVLDB 5 (2012).
    G. Hamerly, "Making k-means even faster", SDM 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from shoal.cluster import KMeans
    >>> X = np.array([[1.0, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> model = KMeans(2, random_state=0).fit(X)
    >>> sorted(model.cluster_centers_.tolist())
    [[1.0, 2.0], [10.0, 2.0]]
    >>> model.inertia_
    16.0
    >>> model.predict([[0.0, 0], [12, 3]]).tolist() == model.labels_[[0, 3]].tolist()
    True
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: str | ArrayLike | Callable[..., Any] = "k-means++",
        n_init: int | Literal["auto"] = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        copy_x: bool = True,
        algorithm: str = "auto",
        metric: str = "euclidean",
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm
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
        y : ignored
        sample_weight : array-like of shape (n_rows,) or column name, default=None
            Weight of each row, not negative.
        features : sequence of str or int, default=None
            The columns to cluster by; all by default.
        checkpoint : path, default=None
            A file that the fit goes on from if it exists, and that it keeps up to date: a fit
            that was killed and is called again ends with the same bits. With several runs, a
            number is added to the name for each.

        Returns
        -------
        self
        """
        self._check_parameters()
        check_choice(self, "algorithm", ("auto", "lloyd", "hamerly"))
        n_init = self._n_runs(10)
        with self._fitting(X, sample_weight, features, n_init) as (dataset, fold, progress):
            summary = summarize(dataset, fold, self.n_clusters)
            seeds = check_random_state(self.random_state).randint(2**31 - 1, size=n_init)
            runs = []
            for number, seed in enumerate(map(int, seeds)):
                path = f"{checkpoint}.{number}" if checkpoint and n_init > 1 else checkpoint
                saved = self._checkpoint(path, dataset, seed) if path else None
                runs.append(self._run(summary, seed, fold, progress, saved, dataset))
            state, loss_curve, assigned = min(runs, key=lambda found: found[2].inertia)
            self._keep(state, loss_curve, assigned)
            self._warn_of_empty_clusters(assigned)
        return self

    def _run(
        self,
        summary: Summary,
        seed: int,
        fold: Fold,
        progress: FitProgress,
        checkpoint: Checkpoint | None,
        dataset: Dataset,
    ) -> tuple[LloydState, list[float], Assigned]:
        """One run from first centres drawn with `seed`."""
        solver = Lloyd(
            InitialCenters(self.n_clusters, summary, seed).chosen(self.init),
            summary,
            self.max_iter,
            self.tol * float(summary.moments.variance.mean()),
            self._uses_bounds(dataset),
            spherical=self.metric == "cosine",
        )
        return run_lloyd(solver, dataset, fold, progress, checkpoint)

    def _keep(self, state: LloydState, loss_curve: list[float], assigned: Assigned) -> None:
        """Set the fitted attributes."""
        self.__dict__.update(attributes(state))
        self.loss_curve_ = loss_curve
        self._keep_assigned(assigned)

    def _uses_bounds(self, dataset: Dataset) -> bool:
        if dataset.source.is_sparse or self.algorithm == "lloyd":
            return False
        work = self.n_clusters * dataset.n_features
        return self.algorithm == "hamerly" or work >= LEAST_BOUNDED_WORK

    def _checkpoint(self, path: str | PathLike[str], dataset: Dataset, seed: int) -> Checkpoint:
        """The checkpoint of a run, refused for other data or another course of the fit."""
        init = self.init
        if not isinstance(init, str):
            init = getattr(init, "__qualname__", None) or np.asarray(init)
        course = (type(self).__name__, seed, self.n_clusters, init, self.tol, self.metric)
        parameters = _archive.fingerprint(course)
        return Checkpoint(path, data=dataset.fingerprint, parameters=parameters)


def run_lloyd(
    solver: Lloyd,
    dataset: Dataset,
    fold: Fold,
    progress: FitProgress,
    checkpoint: Checkpoint | None,
) -> tuple[LloydState, list[float], Assigned]:
    """How a run ends, its loss curve, and where the rows are then."""
    state, _, loss_curve = run(
        solver, fold, checkpoint=checkpoint, progress=progress, attributes=attributes
    )
    n_labels = dataset.n_rows if dataset.source.in_process else 0
    search = solver.search(state)
    return state, loss_curve, fold(Assignment.within(solver.summary.range, search, n_labels))


def attributes(state: LloydState) -> dict[str, Any]:
    """The fitted attributes of a model that ended at `state`."""
    return {"cluster_centers_": state.centers, "n_iter_": state.n_iter}
