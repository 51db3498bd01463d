"""Linear regression."""

from shoal.linear_model.descent import LearningRate
from shoal.linear_model.squared_error_fit import Strength
from shoal.linear_model.squared_error_regressor import SquaredErrorRegressor


class LinearRegression(SquaredErrorRegressor):
    r"""Ordinary least squares on data of any size.

    Finds coefficients W and intercepts b that minimise

    .. math:: J(W, b) = \frac{1}{2 S} \sum_i s_i |y_i - W x_i - b|^2, \qquad S = \sum_i s_i

    and where collinear columns leave a choice, those of the least norm.

    Every fitted attribute is the same to the last bit for any engine, number of threads or
    workers, memory budget, way of splitting the rows into files at multiples of 64 rows, and after
    any worker's death.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether there is an intercept.
    copy_X : bool, default=True
        Accepted for scikit-learn's sake: data are never changed, so nothing is copied.
    tol : float, default=1e-6
        A descent ends once no component of the gradient is larger.
    n_jobs : ignored
        Engines have threads: ``with LocalEngine(n_threads=...):``.
    positive : bool, default=False
        Whether coefficients must not be negative.
    solver : {"auto", "gram", "lbfgs", "newton", "nesterov", "gradient_descent"}, default="auto"
        ``"gram"`` solves the normal equations. Others descend. ``"auto"`` is ``"gram"`` for up to
        1000 features, else ``"lbfgs"``, or with `positive` ``"nesterov"``.
    max_iter : int, default=1000
        Most steps of a descent.
    learning_rate : float or "backtracking", default="backtracking"
        Of ``"gradient_descent"``: the constant rate :math:`\eta` of :math:`w \leftarrow w - \eta
        \nabla J(w)`, exactly as the textbook has it, from zeros; or one that is halved until the
        loss falls enough. Of ``"nesterov"``: the first rate, which it lowers by itself.
    warm_start : bool, default=False
        Whether a descent begins where the last fit ended.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features), float64
    intercept_ : float or ndarray of shape (n_outputs,)
        0.0 without ``fit_intercept``.
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
    the solver. With more than 1000 features, descents read the rows in each step
    instead. Memory: O(n_features^2) a thread.

    Products of float32 data are summed in float32 within 64 rows and exactly from there on, so
    coefficients have about the digits of float32. Normal equations square the condition of the
    features: columns whose part that others do not explain is below 1e-7 of them count as
    collinear, where scikit-learn's singular values tell apart down to 1e-15.

    References
    ----------
    C. F. Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae" (1823).

    Examples
    --------
    >>> import numpy as np
    >>> from shoal.linear_model import LinearRegression
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]])
    >>> model = LinearRegression().fit(X, X @ [2.0, -1.0] + 5.0)
    >>> model.coef_.round(12).tolist(), round(model.intercept_, 12)
    ([2.0, -1.0], 5.0)
    """

    _squeezes_column = False

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        tol: float = 1e-6,
        n_jobs: int | None = None,
        positive: bool = False,
        solver: str = "auto",
        max_iter: int = 1000,
        learning_rate: LearningRate = "backtracking",
        warm_start: bool = False,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive
        self.solver = solver
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.warm_start = warm_start

    def _strengths(self, weight: float) -> list[Strength]:
        return [(0.0, 0.0)]
