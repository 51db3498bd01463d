"""What linear models of squared error share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from typing import Any, Self, TypeAlias

import numpy as np

from shoal._typing import Float64Array
from shoal._validation import check_choice, check_number
from shoal.data.dataset import Dataset
from shoal.data.validation import fit_dataset, target_role
from shoal.exceptions import ParameterError
from shoal.linear_model.descent import SMOOTH_SOLVERS, Descent, LearningRate, check_learning_rate
from shoal.linear_model.linear_regressor import LinearRegressor
from shoal.linear_model.problem import LinearModel, kept_at, started
from shoal.linear_model.squared_error_fit import (
    MOST_GRAM_FEATURES,
    Solution,
    SquaredErrorFit,
    Strength,
)
from shoal.linear_model.target import check_numeric_column, numeric_target
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.fitting import passes_over, restored_on_error

#: The fitted attributes of a model.
Shown: TypeAlias = Callable[[LinearModel], dict[str, Any]]


class SquaredErrorRegressor(LinearRegressor, ABC):
    """Least squares with a penalty, by second moments of the rows or by passes over them."""

    fit_intercept: bool
    positive: bool
    tol: float
    max_iter: int | None
    solver: str
    learning_rate: LearningRate
    warm_start: bool

    #: Solvers that this estimator may be given.
    _solvers: tuple[str, ...] = ("auto", "gram", *SMOOTH_SOLVERS)
    #: Whether a target of one column gives flat coefficients and predictions, as scikit-learn has
    #: it of penalised models.
    _squeezes_column = True

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
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), or column name
            None where `X` is a Dataset with a target.
        sample_weight : array-like of shape (n_rows,) or column name, default=None
            Weight of each row, not negative.
        features : sequence of str or int, default=None
            The columns to learn from; all but target and weight by default.
        checkpoint : path, default=None
            A file that a descent goes on from if it exists, and that it keeps up to date: a fit
            that was killed and is called again ends with the same bits. With several penalties, a
            number is added to the name for each but the first. ``solver="gram"`` has no use for
            it: it is done after one pass.

        Returns
        -------
        self
        """
        self._check_parameters()
        with restored_on_error(self):
            target = numeric_target(target_role(self, X, y, multi_output=True))
            dataset = fit_dataset(
                self, X, target=target, sample_weight=sample_weight, features=features
            )
            check_numeric_column(dataset)
            descent = self._descent(dataset.n_features)
            with passes_over(dataset, self, X, y, max_iter=descent.max_iter) as (fold, progress):
                shown = self._shape(dataset)
                fit = SquaredErrorFit(
                    dataset,
                    fold,
                    progress,
                    descent,
                    self.fit_intercept,
                    self.positive,
                    self._strengths,
                    partial(self._start, dataset.n_features, descent),
                    partial(self._checkpoint, checkpoint, dataset),
                    shown,
                )
                self._keep(fit.solutions(), shown)
            self.solver_ = descent.solver
        return self

    @abstractmethod
    def _strengths(self, weight: float) -> list[Strength]:
        """L1 and L2 of the mean loss: those of ``coef_``, then of each model of a path."""

    def _check_parameters(self) -> None:
        check_number(self, "tol", 0)
        check_number(self, "max_iter", 1, integer=True, optional=True)
        check_choice(self, "solver", self._solvers)
        check_learning_rate(self)
        if self.positive and self.solver in ("lbfgs", "newton"):
            raise ParameterError(
                f"solver={self.solver!r} cannot keep coefficients from being negative: use one of "
                "'auto', 'gram', 'nesterov', 'gradient_descent'."
            )

    def _descent(self, n_features: int) -> Descent:
        """How to descend; with a solver called "gram", not at all."""
        solver, max_iter = self.solver, 1000 if self.max_iter is None else self.max_iter
        if solver == "auto" and n_features <= MOST_GRAM_FEATURES:
            solver = "gram"
        elif solver == "auto":
            is_rough = self.positive or any(l1 for l1, _ in self._strengths(1.0))
            solver = "nesterov" if is_rough else "lbfgs"
        return Descent(solver, max_iter, self.tol, self.learning_rate)

    def _start(self, n_features: int, descent: Descent, intercept: Float64Array) -> LinearModel:
        if descent.is_textbook:
            intercept = np.zeros_like(intercept)
        return started(self, (len(intercept), n_features), intercept)

    def _checkpoint(
        self, path: Any, dataset: Dataset, number: int, strength: Strength, start: LinearModel
    ) -> Checkpoint | None:
        course = (strength, self.fit_intercept, self.positive, self.solver, self.learning_rate)
        numbered = f"{path}.{number}" if path is not None and number else path
        return kept_at(numbered, self, dataset, (*course, self.tol), start)

    def _shape(self, dataset: Dataset) -> Shown:
        """How models are shown: as scikit-learn's, by the shape of the target."""
        target = dataset.target if isinstance(dataset.target, np.ndarray) else np.empty(0)
        is_flat = target.ndim < 2
        squeezes = is_flat or (self._squeezes_column and target.shape[1] == 1)
        return partial(_shown, has_row=squeezes, has_number=is_flat or not self.fit_intercept)

    def _keep(self, solutions: Sequence[Solution], shown: Shown) -> None:
        """Set the fitted attributes; `solutions` are in the order of `_strengths`."""
        first = solutions[0]
        self.__dict__.update(shown(first.model))
        self.n_iter_ = first.n_iter
        self.loss_curve_ = first.loss_curve

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def keep_path(estimator: Any, alphas: Any, solutions: Sequence[Solution], shown: Shown) -> None:
    """Set ``alphas_``, ``coef_path_`` and ``intercept_path_``, or none of them without a path."""
    for name in ("alphas_", "coef_path_", "intercept_path_"):
        vars(estimator).pop(name, None)
    if len(solutions):
        found = [shown(one.model) for one in solutions]
        estimator.alphas_ = np.array(alphas, dtype=np.float64)
        estimator.coef_path_ = np.stack([one["coef_"] for one in found])
        estimator.intercept_path_ = np.stack([one["intercept_"] for one in found])


def path_alphas(estimator: Any) -> list[float]:
    """The parameter ``alphas`` as a list; raises ParameterError unless all are 0 or above."""
    if estimator.alphas is None:
        return []
    alphas = np.asarray(estimator.alphas, dtype=np.float64)
    if alphas.ndim != 1 or not (np.isfinite(alphas) & (alphas >= 0)).all():
        raise ParameterError(
            f"alphas must be a sequence of finite numbers, none negative, not {estimator.alphas!r}."
        )
    found: list[float] = alphas.tolist()
    return found


def _shown(model: LinearModel, *, has_row: bool, has_number: bool) -> dict[str, Any]:
    """Fitted attributes: coefficients as one row or more, the intercept as a number or an array."""
    return {
        "coef_": model.coef[0] if has_row else model.coef,
        "intercept_": float(model.intercept[0]) if has_number else model.intercept,
    }
