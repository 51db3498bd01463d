"""Ridge regression."""

from collections.abc import Sequence

import numpy as np

from shoal._validation import check_number
from shoal.linear_model.descent import LearningRate
from shoal.linear_model.squared_error_fit import Solution, Strength
from shoal.linear_model.squared_error_regressor import (
    Shown,
    SquaredErrorRegressor,
    keep_path,
    path_alphas,
)


class Ridge(SquaredErrorRegressor):
    r"""Least squares with an L2 penalty, for one strength or many, on data of any size.

    Finds coefficients W and intercepts b that minimise

    .. math:: \sum_i s_i |y_i - W x_i - b|^2 + \alpha |W|_2^2

    as scikit-learn's does; :math:`J` is this over :math:`2 \sum_i s_i`.

    Every fitted attribute is the same to the last bit for any engine, number of threads or
    workers, memory budget, way of splitting the rows into files at multiples of 64 rows, and after
    any worker's death.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, 0 or above.
    alphas : sequence of float, default=None
        More strengths to solve for, from the same second moments: see ``coef_path_``.
    fit_intercept : bool, default=True
        Whether there is an intercept; it is not penalised.
    copy_X : bool, default=True
        Accepted for scikit-learn's sake: data are never changed, so nothing is copied.
    max_iter : int, default=None
        Most steps of a descent; 1000 by default.
    tol : float, default=1e-4
        A descent ends once no component of the gradient is larger.
    solver : {"auto", "gram", "lbfgs", "newton", "nesterov", "gradient_descent"}, default="auto"
        As of `LinearRegression`. scikit-learn's names of factorisations are not known here.
    positive : bool, default=False
        Whether coefficients must not be negative.
    random_state : ignored
        Nothing here is random.
    learning_rate : float or "backtracking", default="backtracking"
        Of ``"gradient_descent"``: the constant rate :math:`\eta` of :math:`w \leftarrow w - \eta
        \nabla J(w)`, exactly as the textbook has it, from zeros; or one that is halved until the
        loss falls enough. Of ``"nesterov"``: the first rate, which it lowers by itself.
    warm_start : bool, default=False
        Whether a descent begins where the last fit ended.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features), float64
        Of shape (n_features,) for a target of one column too, whose predictions are flat.
    intercept_ : float or ndarray of shape (n_outputs,)
        0.0 without ``fit_intercept``.
    alphas_ : ndarray of shape (n_alphas,), float64
        The parameter `alphas`, if it was given.
    coef_path_ : ndarray of shape (n_alphas, *coef_.shape), float64
        The coefficients for each of `alphas`, in their order, if they were given.
    intercept_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_outputs), float64
    n_iter_ : int
        Steps taken; 1 where equations were solved.
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
        NaN, a target that is no number; see `shoal.exceptions` for others.
    DivergenceError
        The loss rises without bound, as ``learning_rate`` is too large; names one that is not.

    Warns
    -----
    ConvergenceWarning
        `max_iter` steps were not enough.

    Notes
    -----
    Passes: one to find ranges and one for second moments, two where the middle of the range is
    more than three standard deviations from the mean; after that nothing is read again, whatever
    the solver and however many `alphas` there are. With more than 1000 features, descents read the
    rows in each step instead. Memory: O(n_features^2) a thread.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal
    problems", Technometrics 12 (1970).

    Examples
    --------
    >>> import numpy as np
    >>> from shoal.linear_model import Ridge
    >>> X, y = np.array([[-1.0], [1.0]]), np.array([0.0, 4.0])
    >>> model = Ridge(alpha=2.0, alphas=[0.0, 6.0]).fit(X, y)
    >>> model.coef_.round(12).tolist(), model.intercept_
    ([1.0], 2.0)
    >>> model.coef_path_.round(12).tolist()
    [[2.0], [0.5]]
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        alphas: Sequence[float] | None = None,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        solver: str = "auto",
        positive: bool = False,
        random_state: int | np.random.RandomState | None = None,
        learning_rate: LearningRate = "backtracking",
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.warm_start = warm_start

    def _strengths(self, weight: float) -> list[Strength]:
        return [(0.0, alpha / weight) for alpha in (self.alpha, *path_alphas(self))]

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "alpha", 0)

    def _keep(self, solutions: Sequence[Solution], shown: Shown) -> None:
        super()._keep(solutions, shown)
        keep_path(self, self.alphas, solutions[1:], shown)
