"""Tweedie regression."""

from shoal._validation import check_choice
from shoal.exceptions import ParameterError
from shoal.linear_model.descent import LearningRate
from shoal.linear_model.generalized_linear_regressor import GeneralizedLinearRegressor
from shoal.losses import HalfSquaredError, HalfTweedie, Loss


class TweedieRegressor(GeneralizedLinearRegressor):
    r"""Regression with a variance in proportion to a power of the mean, on data of any size.

    Finds coefficients w and an intercept b that minimise

    .. math:: J(w, b) = \frac{1}{S} \sum_i s_i \ell(y_i, w \cdot x_i + b)
              + \frac{\alpha}{2} |w|_2^2, \qquad S = \sum_i s_i

    with half the Tweedie deviance, of a logarithmic link

    .. math:: \ell(y, r) = \frac{e^{(2 - p) r}}{2 - p} - y \frac{e^{(1 - p) r}}{1 - p}

    and its limits for p = 1 (Poisson) and p = 2 (gamma); it is scikit-learn's objective.

    Every fitted attribute is the same to the last bit for any engine, number of threads or
    workers, memory budget, way of splitting the rows into files (for ``solver="newton"``, at
    multiples of 64 rows), and after any worker's death.

    Parameters
    ----------
    power : float, default=0.0
        The power p: below 0 extreme stable, 0 normal, 1 Poisson, between 1 and 2 compound Poisson
        and gamma (amounts, many of them 0), 2 gamma, 3 inverse Gaussian; not between 0 and 1.
    alpha : float, default=1.0
        Strength of the penalty, 0 or above.
    fit_intercept : bool, default=True
        Whether there is an intercept; it is not penalised.
    link : {"auto", "identity", "log"}, default="auto"
        What of the mean is linear. ``"auto"`` is ``"identity"`` for a power of 0, else ``"log"``,
        and ``"identity"`` is for a power of 0 alone. scikit-learn takes it for others too, and by
        itself for powers below 0, whose deviance is not defined for means that are not positive:
        compare with its ``link="log"``.
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
    B. Jorgensen, "The Theory of Dispersion Models" (1997).

    Examples
    --------
    >>> from shoal.linear_model import TweedieRegressor
    >>> X, y = [[0.0], [0.0], [1.0], [1.0]], [0.0, 4.0, 6.0, 10.0]
    >>> model = TweedieRegressor(power=1.5, alpha=0.0, tol=1e-8).fit(X, y)
    >>> model.predict([[0.0], [1.0]]).round(4).tolist()
    [2.0, 8.0]
    """

    def __init__(
        self,
        *,
        power: float = 0.0,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        link: str = "auto",
        solver: str = "auto",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
        learning_rate: LearningRate = "backtracking",
    ) -> None:
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            solver=solver,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            verbose=verbose,
            learning_rate=learning_rate,
        )
        self.power = power
        self.link = link

    def _loss(self) -> Loss:
        if self.power == 0 and self.link != "log":
            return HalfSquaredError()
        return HalfTweedie(self.power)

    def _power(self) -> float:
        return float(self.power)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice(self, "link", ("auto", "identity", "log"))
        if self.link == "identity" and self.power != 0:
            raise ParameterError(
                f"link='identity' is for power=0, not {self.power!r}: with others predictions may "
                "leave the domain of the deviance. Use link='log'."
            )
