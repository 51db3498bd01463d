"""The Lasso."""

from collections.abc import Sequence

import numpy as np

from shoal._validation import check_number
from shoal.linear_model.descent import PROXIMAL_SOLVERS, LearningRate
from shoal.linear_model.elastic_net import keep_gap
from shoal.linear_model.squared_error_fit import Solution, Strength
from shoal.linear_model.squared_error_regressor import (
    Shown,
    SquaredErrorRegressor,
    keep_path,
    path_alphas,
)


class Lasso(SquaredErrorRegressor):
    r"""Least squares with an L1 penalty, for one strength or many, on data of any size.

    Finds coefficients W, many of them 0, and intercepts b that minimise

    .. math:: J(W, b) = \frac{1}{2 S} \sum_i s_i |y_i - W x_i - b|^2 + \alpha |W|_1,
              \qquad S = \sum_i s_i

    Every fitted attribute is the same to the last bit for any engine, number of threads or
    workers, memory budget, way of splitting the rows into files at multiples of 64 rows, and after
    any worker's death.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, 0 or above.
    alphas : sequence of float, default=None
        More strengths to solve for, from the same second moments: see ``coef_path_``.
        Each begins where the next stronger one ended.
    fit_intercept : bool, default=True
        Whether there is an intercept; it is not penalised.
    copy_X : bool, default=True
        Accepted for scikit-learn's sake: data are never changed, so nothing is copied.
    max_iter : int, default=1000
        Most sweeps or steps.
    tol : float, default=1e-4
        Sweeps end once the duality gap is at most `tol` times the mean square of the centred
        target, as in scikit-learn; other descents once no component of the gradient is larger.
    warm_start : bool, default=False
        Whether to begin where the last fit ended.
    positive : bool, default=False
        Whether coefficients must not be negative.
    random_state : ignored
        Nothing here is random: sweeps go over the features in order.
    solver : {"auto", "gram", "nesterov", "gradient_descent"}, default="auto"
        ``"gram"``: coordinate descent on second moments, one sweep over the features a step. Others
        descend by proximal steps. ``"auto"`` is ``"gram"`` for up to 1000 features, else
        ``"nesterov"``.
    learning_rate : float or "backtracking", default="backtracking"
        Of ``"gradient_descent"``: the constant rate :math:`\eta` of :math:`w \leftarrow w - \eta
        \nabla J(w)`, exactly as the textbook has it, from zeros; or one that is halved until the
        loss falls enough. Of ``"nesterov"``: the first rate, which it lowers by itself.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features), float64
        Of shape (n_features,) for a target of one column too, whose predictions are flat.
    intercept_ : float or ndarray of shape (n_outputs,)
        0.0 without ``fit_intercept``.
    dual_gap_ : float
        With ``solver="gram"``: J is above its minimum by this at most; of several outputs, the
        largest of each output's.
    alphas_ : ndarray of shape (n_alphas,), float64
        The parameter `alphas`, if it was given.
    coef_path_ : ndarray of shape (n_alphas, *coef_.shape), float64
        The coefficients for each of `alphas`, in their order, if they were given.
    intercept_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_outputs), float64
    n_iter_ : int
        Sweeps or steps taken; 1 where equations were solved, as there was no L1.
    solver_ : str
        What ``solver="auto"`` chose.
    loss_curve_ : list of float
        J before each step, of length `n_iter_`, or of length 1 with ``solver="gram"``.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError
        NaN, a target that is no number; see `shoal.exceptions` for others.
    DivergenceError
        The loss rises without bound, as ``learning_rate`` is too large; names one that is not.

    Warns
    -----
    ConvergenceWarning
        `max_iter` steps or sweeps were not enough.

    Notes
    -----
    Passes: one to find ranges and one for second moments, two where the middle of the range is
    more than three standard deviations from the mean; after that nothing is read again, whatever
    the solver and however many `alphas` there are. With more than 1000 features, descents read the
    rows in each step instead. Memory: O(n_features^2) a thread.

    References
    ----------
    R. Tibshirani, "Regression shrinkage and selection via the Lasso", J. R. Stat. Soc. B 58
    (1996). See `shoal.solvers.coordinate_descent`.

    Examples
    --------
    >>> import numpy as np
    >>> from shoal.linear_model import Lasso
    >>> X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> Lasso(alpha=0.5).fit(X, X @ [2.0, 0.25]).coef_.tolist()
    [1.5, 0.0]
    """

    _solvers = ("auto", "gram", *PROXIMAL_SOLVERS)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        alphas: Sequence[float] | None = None,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: int | np.random.RandomState | None = None,
        solver: str = "auto",
        learning_rate: LearningRate = "backtracking",
    ) -> None:
        self.alpha = alpha
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.solver = solver
        self.learning_rate = learning_rate

    def _strengths(self, weight: float) -> list[Strength]:
        return [(alpha, 0.0) for alpha in (self.alpha, *path_alphas(self))]

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "alpha", 0)

    def _keep(self, solutions: Sequence[Solution], shown: Shown) -> None:
        super()._keep(solutions, shown)
        keep_path(self, self.alphas, solutions[1:], shown)
        keep_gap(self, solutions)
