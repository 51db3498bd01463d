"""Labels that propagate, held fast where they are known."""

from collections.abc import Callable
from functools import partial
from typing import Any

from shoal._typing import AnyArray, Float64Array
from shoal.semi_supervised.affinity import Kernel, transition
from shoal.semi_supervised.graph_classifier import GraphClassifier, shares


class LabelPropagation(GraphClassifier):
    r"""Label propagation on the sparse graph of nearest neighbours.

    Each unlabelled row takes the mean of its neighbours' label distributions, over and over, while
    labelled rows keep theirs:

    .. math:: F \leftarrow D^{-1} W F, \qquad F_l \leftarrow Y_l,

    where :math:`W_{ij}` weighs row j for row i, D holds the sums of the rows of W, and Y is 1 at
    the label of each labelled row l. What it converges to is harmonic: the value of each
    unlabelled row is the mean of those around it.

    Parameters
    ----------
    kernel : {"knn", "rbf"} or callable, default="knn"
        ``"knn"``: 1 for the `n_neighbors` nearest rows of i, itself among them.
        ``"rbf"``: :math:`\exp(-\gamma |x_i - x_j|^2)` for all rows; takes memory of their square.
        Or a function of two matrices that gives the weights of the rows of the first to those of
        the second.
    gamma : float, default=20
        :math:`\gamma` of ``"rbf"``.
    n_neighbors : int, default=7
        Of ``"knn"``.
    max_iter : int, default=1000
        Most steps.
    tol : float, default=1e-3
        The fit ends once the distributions change by less than this in a step, in sum.
    n_jobs : int, default=None
        Accepted for scikit-learn's sake: the engine decides on threads and workers.

    Attributes
    ----------
    X_ : ndarray or csr_array of shape (n_rows, n_features), or Dataset
        The rows: in memory where they came from memory, or the kernel is dense.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    label_distributions_ : ndarray of shape (n_rows, n_classes), float64
        The share of each class in each row; zeros where no label has come.
    transduction_ : ndarray of shape (n_rows,)
        The likeliest label of each row.
    n_iter_ : int
        Steps taken.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError
        No label is known, targets are no labels, or rows have missing values.
    ParameterError
        There are fewer rows than neighbours.
    MemoryBudgetError
        ``kernel="rbf"`` takes more memory than there is for so many rows.

    Warns
    -----
    ConvergenceWarning
        `max_iter` steps were not enough.

    Notes
    -----
    Neighbours are exact and found by passes over the rows, which may be on disk or on a cluster;
    the graph takes 12 bytes an edge in the calling process, twice that while it is made, and
    ``40 * n_classes`` bytes a row come on top. Sums are taken in the order of the neighbours, so
    every fitted attribute is the same to the last bit for any engine, number of threads or workers,
    budget and files.

    Unlike scikit-learn's, the default kernel is ``"knn"``; labels may be missing instead of -1;
    equally near rows go by their number; new rows that no label is near get zeros, not NaN.

    References
    ----------
    X. Zhu and Z. Ghahramani, "Learning from labeled and unlabeled data with label propagation",
    Carnegie Mellon University, CMU-CALD-02-107 (2002).

    Examples
    --------
    >>> from shoal.semi_supervised import LabelPropagation
    >>> X = [[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]]
    >>> model = LabelPropagation(n_neighbors=3).fit(X, [0, -1, -1, 1, -1, -1])
    >>> model.transduction_.tolist()
    [0, 0, 0, 1, 1, 1]
    >>> model.predict([[3.0], [9.0]]).tolist()
    [0, 1]
    """

    def __init__(
        self,
        kernel: Kernel = "knn",
        *,
        gamma: float = 20,
        n_neighbors: int = 7,
        max_iter: int = 1000,
        tol: float = 1e-3,
        n_jobs: int | None = None,
    ) -> None:
        self.kernel = kernel
        self.gamma = gamma
        self.n_neighbors = n_neighbors
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    @staticmethod
    def _normalise(weights: Any) -> Any:
        return transition(weights)

    def _settle(
        self, start: Float64Array, known: AnyArray
    ) -> Callable[[Float64Array], Float64Array]:
        return partial(_clamped, start, known)


def _clamped(start: Float64Array, known: AnyArray, arrived: Float64Array) -> Float64Array:
    found = shares(arrived)
    found[known] = start[known]
    return found
