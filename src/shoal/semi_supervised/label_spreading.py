"""Labels that spread, and give way where their surroundings say otherwise."""

from collections.abc import Callable
from typing import Any

from shoal._typing import AnyArray, Float64Array
from shoal.semi_supervised.affinity import Kernel, normalised
from shoal.semi_supervised.graph_classifier import GraphClassifier
from shoal.semi_supervised.graph_model import check_alpha, spread


class LabelSpreading(GraphClassifier):
    r"""Label spreading on the sparse graph of nearest neighbours.

    Each row takes a share :math:`\alpha` from its neighbours and keeps the rest of its own label,
    if it has one:

    .. math:: F \leftarrow \alpha S F + (1 - \alpha) Y, \qquad
              S = D^{-1/2} W D^{-1/2},

    where :math:`W_{ij}` weighs row j for row i and is 0 for i itself, D holds the sums of the
    columns of W, and Y is 1 at the label of each labelled row. It converges to
    :math:`(1 - \alpha)(I - \alpha S)^{-1} Y`: labelled rows may change theirs, which makes it
    robust to wrong labels.

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
    alpha : float, default=0.2
        :math:`\alpha`, between 0 (rows keep their label) and 1 (labels are forgotten).
    max_iter : int, default=30
        Most steps.
    tol : float, default=1e-3
        The fit ends once F changes by less than this in a step, in sum.
    n_jobs : int, default=None
        Accepted for scikit-learn's sake: the engine decides on threads and workers.

    Attributes
    ----------
    X_ : ndarray or csr_array of shape (n_rows, n_features), or Dataset
        The rows: in memory where they came from memory, or the kernel is dense.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    label_distributions_ : ndarray of shape (n_rows, n_classes), float64
        F with rows divided by their sums: the share of each class; zeros where no label has come.
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
    equally near rows go by their number; new rows that no label is near get zeros, not NaN. Like
    scikit-learn's, neighbours need not be mutual: W is not made symmetric.

    References
    ----------
    D. Zhou, O. Bousquet, T. N. Lal, J. Weston and B. Schölkopf, "Learning with local and global
    consistency", NIPS 16 (2004), section 2.

    Examples
    --------
    >>> from shoal.semi_supervised import LabelSpreading
    >>> X = [[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]]
    >>> model = LabelSpreading(n_neighbors=3).fit(X, ["low", None, None, "high", None, None])
    >>> model.transduction_.tolist()
    ['low', 'low', 'low', 'high', 'high', 'high']
    >>> model.predict_proba([[3.0]]).tolist()
    [[0.0, 1.0]]
    """

    def __init__(
        self,
        kernel: Kernel = "knn",
        *,
        gamma: float = 20,
        n_neighbors: int = 7,
        alpha: float = 0.2,
        max_iter: int = 30,
        tol: float = 1e-3,
        n_jobs: int | None = None,
    ) -> None:
        self.kernel = kernel
        self.gamma = gamma
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    @staticmethod
    def _normalise(weights: Any) -> Any:
        return normalised(weights)

    def _settle(
        self, start: Float64Array, known: AnyArray
    ) -> Callable[[Float64Array], Float64Array]:
        return spread(self.alpha, start)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_alpha(self)
