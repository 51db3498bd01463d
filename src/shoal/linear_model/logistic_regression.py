"""Logistic regression."""

import warnings
from collections.abc import Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from shoal import _kernels
from shoal._typing import Float64Array
from shoal._validation import check_choice, check_number
from shoal.callbacks import FitProgress
from shoal.data.dataset import Dataset
from shoal.data.validation import fit_dataset, target_role
from shoal.engines.row_values import gathered
from shoal.exceptions import ParameterError
from shoal.linear_model.descent import (
    PROXIMAL_SOLVERS,
    SMOOTH_SOLVERS,
    Descent,
    LearningRate,
    check_learning_rate,
)
from shoal.linear_model.linear_classifier import Hits, LinearClassifier, Probabilities
from shoal.linear_model.problem import FittedModel, LinearModel, Problem, kept_at, started
from shoal.linear_model.row_loss import RowLoss
from shoal.linear_model.summary import summarize
from shoal.linear_model.target import ClassWeight, coded, found_classes
from shoal.losses import HalfBinomial, HalfMultinomial, Loss
from shoal.penalties import L1, L2
from shoal.solvers.fitting import passes_over, restored_on_error
from shoal.solvers.solver import Fold
from shoal.statistics.exact_sum import ExactSum

#: Shares of a class this close to 0 or 1 are taken to be no closer, where the fit begins.
LEAST_SHARE = 1e-6
#: Parameters that the course of a fit depends on.
COURSE = ("C", "l1_ratio", "tol", "fit_intercept", "class_weight", "solver", "learning_rate")


class LogisticRegression(LinearClassifier):
    r"""Logistic regression, of two classes or more, on data of any size.

    Finds coefficients W and intercepts b that minimise

    .. math:: J(W, b) = \frac{1}{S} \sum_i s_i \ell(y_i, W x_i + b) + \frac{1}{C S}
              \left( \rho |W|_1 + \frac{1 - \rho}{2} |W|_2^2 \right), \qquad S = \sum_i s_i

    with the log loss :math:`\ell`: of two classes :math:`\log(1 + e^r) - y r`, with one row of
    coefficients; of more, :math:`\log \sum_k e^{r_k} - r_y` (multinomial). It is scikit-learn's
    objective, over ``C * S``.

    Every fitted attribute is the same to the last bit for any engine, number of threads or
    workers, memory budget, way of splitting the rows into files (for ``solver="newton"``, at
    multiples of 64 rows), and after any worker's death.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty, above 0; ``np.inf`` for none.
    l1_ratio : float, default=0.0
        The share :math:`\rho` of L1: 0 for L2, 1 for L1, between them the elastic net.
    tol : float, default=1e-4
        The fit ends once no component of the gradient is larger. The gradient is that by
        coefficients of columns scaled to a Hessian of about ones at the start, so that `tol` means
        the same for any units; with ``solver="gradient_descent"`` and a rate that is a number, by
        the coefficients themselves.
    fit_intercept : bool, default=True
        Whether there are intercepts; they are not penalised.
    class_weight : dict or "balanced", default=None
        Weight of each label, 1 for those not named; or in inverse proportion to the weight of its
        rows.
    random_state : ignored
        Nothing here is random.
    solver : {"auto", "lbfgs", "newton", "nesterov", "gradient_descent"}, default="auto"
        ``"auto"`` is ``"lbfgs"``, and ``"nesterov"`` for a penalty with a share of L1, which only
        that and ``"gradient_descent"`` take. ``"newton"`` needs few passes, each of
        O(n_coefficients^2) work a row.
    max_iter : int, default=100
        Most steps.
    verbose : int, default=0
        1 logs a line a step to the logger ``"shoal"``.
    warm_start : bool, default=False
        Whether to begin where the last fit ended, if it had as many classes and features.
    n_jobs : ignored
        Engines have threads: ``with LocalEngine(n_threads=...):``.
    learning_rate : float or "backtracking", default="backtracking"
        Of ``"gradient_descent"``: the constant rate :math:`\eta` of :math:`w \leftarrow w - \eta
        \nabla J(w)`, exactly as the textbook has it; or one that is halved until the loss falls
        enough. Of ``"nesterov"``: the first rate, which it lowers by itself.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features), float64
    intercept_ : ndarray of shape (1,) or (n_classes,), float64
    n_iter_ : int
        Steps taken.
    solver_ : str
        What ``solver="auto"`` chose.
    loss_curve_ : list of float
        J before each step, of length `n_iter_`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError
        One class, targets that are no labels, NaN; see `shoal.exceptions` for others.
    DivergenceError
        The loss rises without bound, as ``learning_rate`` is too large; names one that is not.

    Warns
    -----
    ConvergenceWarning
        `max_iter` steps were not enough; or without penalty, the classes are perfectly separated,
        so that there is no minimum and coefficients only grow.

    Notes
    -----
    Passes: one over the targets, two to find ranges and variances, then one a step and rarely
    two; where ``"lbfgs"`` takes many steps, one for the Hessian. Memory: 8 bytes a row for labels
    beside the data, O(n_classes n_features) a thread. The pass over targets that are text holds
    them, at 72 bytes a row of the memory budget.

    Steps are taken in columns that are centred and scaled, inside the kernels: data stay as they
    are. The fit begins at the constant model (the log odds of the classes), where scikit-learn's
    begins at 0, as the textbook's does here. Coefficients are float64 whatever the type of the
    data. Of two classes ``predict_proba`` loses no digits of small probabilities. scikit-learn's
    ``dual`` and ``intercept_scaling`` are of a solver that is not here, and ``penalty`` is `C` and
    `l1_ratio`.

    References
    ----------
    D. R. Cox, "The regression analysis of binary sequences", J. R. Stat. Soc. B 20 (1958).
    See `shoal.solvers.lbfgs`, `shoal.solvers.nesterov`.

    Examples
    --------
    >>> import numpy as np
    >>> from shoal.linear_model import LogisticRegression
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> model = LogisticRegression().fit(X, ["low", "low", "high", "high"])
    >>> model.predict([[0.5], [2.5]]).tolist()
    ['low', 'high']
    >>> model.predict_proba([[1.5]]).round(6).tolist()
    [[0.5, 0.5]]
    >>> model.solver_
    'lbfgs'
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        class_weight: ClassWeight = None,
        random_state: int | np.random.RandomState | None = None,
        solver: str = "auto",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        learning_rate: LearningRate = "backtracking",
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.learning_rate = learning_rate

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        features: Sequence[str | int] | None = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> Self:
        """Find the coefficients.

        Parameters
        ----------
        X : path, glob, folder, array-like, sparse matrix, data frame, Dask collection or Dataset
            Whatever `shoal.open_dataset` takes, of shape (n_rows, n_features).
        y : array-like of shape (n_rows,), or column name
            Labels: whole numbers, booleans or text. None where `X` is a Dataset with a target.
        sample_weight : array-like of shape (n_rows,) or column name, default=None
            Weight of each row, not negative.
        features : sequence of str or int, default=None
            The columns to learn from; all but target and weight by default.
        checkpoint : path, default=None
            A file that the fit goes on from if it exists, and that it keeps up to date: a fit
            that was killed and is called again ends with the same bits.

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
            found = found_classes(dataset)
            n_classes = len(found.labels)
            dataset = coded(dataset, found, np.arange(n_classes, dtype=float), self.class_weight)
            with passes_over(dataset, self, X, y, max_iter=self.max_iter, verbose=self.verbose) as (
                fold,
                progress,
            ):
                weights = found.weights * _ones_or(dataset)
                self.classes_ = found.labels
                self._keep(self._fitted(dataset, weights, fold, progress, checkpoint))
                if np.isinf(self.C):
                    self._warn_if_separated(fold)
        return self

    def predict_proba(self, X: Any) -> Float64Array:
        r"""Give the probability of each class.

        One pass, memory of the result.

        Parameters
        ----------
        X : as for `decision_function`

        Returns
        -------
        probabilities : ndarray of shape (n_rows, n_classes), float64
            In the order of ``classes_``; NaN for rows dropped by ``missing="drop"``.
        """
        dataset = self._opened(X)
        probabilities = Probabilities(self._raw(), _loss(len(self.classes_)))
        return gathered(dataset, probabilities, np.float64, np.nan, self.classes_.shape)

    def predict_log_proba(self, X: Any) -> Float64Array:
        """Give the logarithm of the probability of each class.

        One pass, memory of the result.

        Parameters
        ----------
        X : as for `decision_function`

        Returns
        -------
        log_probabilities : ndarray of shape (n_rows, n_classes), float64
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _check_parameters(self) -> None:
        check_number(self, "tol", 0)
        check_number(self, "max_iter", 1, integer=True)
        check_number(self, "C", np.nextafter(0.0, 1.0))
        check_number(self, "l1_ratio", 0, 1)
        check_choice(self, "solver", ("auto", *SMOOTH_SOLVERS))
        if self._has_l1() and self.solver not in ("auto", *PROXIMAL_SOLVERS):
            raise ParameterError(
                f"solver={self.solver!r} takes no penalty with a share of L1, l1_ratio="
                f"{self.l1_ratio}: use one of 'auto', 'nesterov', 'gradient_descent'."
            )
        check_learning_rate(self)

    def _has_l1(self) -> bool:
        return self.l1_ratio > 0 and np.isfinite(self.C)

    def _fitted(
        self,
        dataset: Dataset,
        class_weights: Float64Array,
        fold: Fold,
        progress: FitProgress,
        checkpoint: str | PathLike[str] | None,
    ) -> FittedModel:
        """The model of a dataset whose classes weigh so much."""
        loss = _loss(len(class_weights))
        summary = summarize(dataset, 1, fold)
        share = np.clip(class_weights / class_weights.sum(), LEAST_SHARE, 1 - LEAST_SHARE)
        alpha = 1 / (self.C * summary.moments.weight)
        problem = Problem(
            RowLoss(loss, summary),
            summary.shift,
            summary.squares_about_shift,
            _curvature(share),
            L2(alpha * (1 - self.l1_ratio)),
            L1(alpha * self.l1_ratio),
            self.fit_intercept,
        )
        descent = Descent(self._chosen_solver(), self.max_iter, self.tol, self.learning_rate)
        is_constant = self.fit_intercept and not descent.is_textbook
        intercept = _log_odds(share) if is_constant else np.zeros(len(problem.curvature))
        start = started(self, (len(intercept), dataset.n_features), intercept)
        course = tuple(getattr(self, name) for name in COURSE)
        saved = kept_at(checkpoint, self, dataset, course, start)
        return problem.descend(descent, start, fold, saved, progress, self._shown)

    def _chosen_solver(self) -> str:
        if self.solver != "auto":
            return self.solver
        return "nesterov" if self._has_l1() else "lbfgs"

    def _shown(self, model: LinearModel) -> dict[str, Any]:
        """The fitted attributes of a model."""
        return {
            "classes_": self.classes_,
            "coef_": model.coef,
            "intercept_": model.intercept,
        }

    def _keep(self, fitted: FittedModel) -> None:
        """Set the fitted attributes."""
        self.__dict__.update(self._shown(fitted.model))
        self.n_iter_ = fitted.n_iter
        self.loss_curve_ = fitted.loss_curve
        self.solver_ = self._chosen_solver()

    def _warn_if_separated(self, fold: Fold) -> None:
        codes = np.arange(len(self.classes_), dtype=float)
        right, total = fold(ExactSum(Hits(self._raw(), codes), 2))
        if right == total:
            warnings.warn(
                "The classes are perfectly separated and there is no penalty, so that the loss has "
                "no minimum: coefficients grow with every step. Use a finite C.",
                ConvergenceWarning,
                stacklevel=3,
            )


def _loss(n_classes: int) -> Loss:
    return HalfBinomial() if n_classes == 2 else HalfMultinomial()


def _ones_or(dataset: Dataset) -> Float64Array | float:
    """The weights of the classes, shape (n_classes,), or 1."""
    assert dataset.classes is not None
    return 1.0 if dataset.classes.weights is None else dataset.classes.weights


def _log_odds(share: Float64Array) -> Float64Array:
    """The raw predictions of the constant model; of two classes, of the second."""
    logarithm = np.empty(len(share))
    _kernels.log(share, logarithm)
    return logarithm[1:] - logarithm[:1] if len(share) == 2 else logarithm - logarithm.mean()


def _curvature(share: Float64Array) -> Float64Array:
    """The second derivatives of the loss at the constant model, by each raw prediction."""
    curvature = share * (1 - share)
    return curvature[1:] if len(share) == 2 else curvature
