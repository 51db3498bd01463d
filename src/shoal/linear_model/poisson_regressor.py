"""Poisson regression."""

from shoal.linear_model.generalized_linear_regressor import GeneralizedLinearRegressor
from shoal.losses import HalfPoisson, Loss


class PoissonRegressor(GeneralizedLinearRegressor):
    r"""Regression of counts, on data of any size.

    Finds coefficients w and an intercept b that minimise

    .. math:: J(w, b) = \frac{1}{S} \sum_i s_i \ell(y_i, w \cdot x_i + b)
              + \frac{\alpha}{2} |w|_2^2, \qquad S = \sum_i s_i, \quad \ell(y, r) = e^r - y r

    It is scikit-learn's objective: half the mean deviance, with a logarithmic link. The prediction
    is :math:`e^r`.

    Every fitted attribute is the same to the last bit for any engine, number of threads or
    workers, memory budget, way of splitting the rows into files (for ``solver="newton"``, at
    multiples of 64 rows), and after any worker's death.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, 0 or above.
    fit_intercept : bool, default=True
        Whether there is an intercept; it is not penalised.
    solver : {"auto", "lbfgs", "newton", "nesterov", "gradient_descent"}, default="auto"
        ``"auto"`` is ``"lbfgs"``. ``"newton"`` needs few passes, of O(n_features^2) work a row.
    max_iter : int, default=100
        Most steps.
    tol : float, default=1e-4
        The fit ends once no component of the gradient is larger. The gradient is that by
        coefficients of columns scaled to a Hessian of about ones at the start, so that `tol` means
        the same for any units of the features; with ``solver="gradient_descent"`` and a rate that
        is a number, by the coefficients themselves.
    warm_start : bool, default=False
        Whether to begin where the last fit ended.
    verbose : int, default=0
        1 logs a line a step to the logger ``"shoal"``.
    learning_rate : float or "backtracking", default="backtracking"
        Of ``"gradient_descent"``: the constant rate :math:`\eta` of :math:`w \leftarrow w - \eta
        \nabla J(w)`, exactly as the textbook has it, from zeros; or one that is halved until the
        loss falls enough. Of ``"nesterov"``: the first rate, which it lowers by itself.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,), float64
    intercept_ : float
    n_iter_ : int
        Steps taken.
    solver_ : str
        What ``solver="auto"`` chose.
    loss_curve_ : list of float
        J before each step, of length `n_iter_`; terms that no coefficient changes are left out.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError
        NaN, a target out of the domain; see `shoal.exceptions` for others.
    DivergenceError
        The loss rises without bound, as ``learning_rate`` is too large; names one that is not.

    Warns
    -----
    ConvergenceWarning
        `max_iter` steps were not enough.

    Notes
    -----
    Passes: two to find ranges and variances, one for the mean target, then one a step and rarely
    two. Memory: O(n_features) a thread. The fit begins at the constant model.

    References
    ----------
    J. A. Nelder and R. W. M. Wedderburn, "Generalized linear models", J. R. Stat. Soc. A
    135 (1972).

    Examples
    --------
    >>> from shoal.linear_model import PoissonRegressor
    >>> X, y = [[0.0], [0.0], [1.0], [1.0]], [1, 3, 6, 10]
    >>> model = PoissonRegressor(alpha=0.0, tol=1e-8).fit(X, y)
    >>> model.predict([[0.0], [1.0]]).round(4).tolist()
    [2.0, 8.0]
    """

    def _loss(self) -> Loss:
        return HalfPoisson()

    def _power(self) -> float:
        return 1.0
