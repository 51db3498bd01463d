"""Generalised linear models."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from os import PathLike
from typing import Any, Self

import numpy as np

from shoal import _kernels
from shoal._typing import Float64Array
from shoal._validation import check_choice, check_number
from shoal.callbacks import FitProgress
from shoal.data.dataset import Dataset
from shoal.data.validation import fit_dataset, target_role
from shoal.linear_model.descent import SMOOTH_SOLVERS, Descent, LearningRate, check_learning_rate
from shoal.linear_model.linear_regressor import LinearRegressor
from shoal.linear_model.problem import FittedModel, LinearModel, Problem, kept_at, started
from shoal.linear_model.row_loss import RowLoss
from shoal.linear_model.summary import Summary, summarize
from shoal.linear_model.target import (
    TargetSums,
    check_numeric_column,
    numeric_target,
)
from shoal.losses import HalfSquaredError, Loss
from shoal.penalties import L1, L2
from shoal.solvers.fitting import passes_over, restored_on_error
from shoal.solvers.solver import Fold
from shoal.statistics.exact_sum import ExactSum

#: Means below this share of the largest target are taken to be it, where the fit begins.
LEAST_MEAN = 1e-6
#: Parameters that the course of a fit depends on.
COURSE = ("alpha", "fit_intercept", "solver", "tol", "learning_rate")


class GeneralizedLinearRegressor(LinearRegressor, ABC):
    """A mean through a link, fitted by its deviance with an L2 penalty."""

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "auto",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
        learning_rate: LearningRate = "backtracking",
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
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
            None where `X` is a Dataset with a target.
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
            target = numeric_target(target_role(self, X, y))
            dataset = fit_dataset(
                self, X, target=target, sample_weight=sample_weight, features=features
            )
            check_numeric_column(dataset)
            with passes_over(dataset, self, X, y, max_iter=self.max_iter, verbose=self.verbose) as (
                fold,
                progress,
            ):
                fitted = self._fitted(dataset, fold, progress, checkpoint)
            self.__dict__.update(_shown(fitted.model))
            self.n_iter_, self.loss_curve_ = fitted.n_iter, fitted.loss_curve
            self.solver_ = self._descent().solver
        return self

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        r"""Give the share of the deviance that is explained: :math:`D^2`, 1 at best.

        .. math:: 1 - \frac{\sum_i w_i d(y_i, \hat y_i)}{\sum_i w_i d(y_i, \bar y)}

        Two passes, no memory: rows may be any number.

        Parameters
        ----------
        X : as for `predict`
        y : array-like of shape (n_rows,), or column name
            None where `X` is a Dataset.
        sample_weight : array-like of shape (n_rows,), or column name, default=None

        Returns
        -------
        score : float
        """
        return self._explained(X, y, sample_weight, partial(tweedie_deviance, power=self._power()))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        try:
            self._loss().check_target(np.array([-1.0]))
        except ValueError:
            tags.target_tags.positive_only = True
        return tags

    @abstractmethod
    def _power(self) -> float:
        """The variance is proportional to the mean to this power."""

    def _check_parameters(self) -> None:
        check_number(self, "alpha", 0)
        check_number(self, "tol", 0)
        check_number(self, "max_iter", 1, integer=True)
        check_choice(self, "solver", ("auto", *SMOOTH_SOLVERS))
        check_learning_rate(self)

    def _descent(self) -> Descent:
        solver = "lbfgs" if self.solver == "auto" else self.solver
        return Descent(solver, self.max_iter, self.tol, self.learning_rate)

    def _fitted(
        self,
        dataset: Dataset,
        fold: Fold,
        progress: FitProgress,
        checkpoint: str | PathLike[str] | None,
    ) -> FittedModel:
        loss, descent = self._loss(), self._descent()
        summary = summarize(dataset, 1, fold)
        loss.check_target(np.array(summary.target_range))
        mean, raw = _constant(loss, summary, fold)
        problem = Problem(
            RowLoss(loss, summary),
            summary.shift,
            summary.squares_about_shift,
            loss.hessian(mean, raw),
            L2(self.alpha),
            L1(0.0),
            self.fit_intercept,
        )
        intercept = raw if self.fit_intercept and not descent.is_textbook else np.zeros(1)
        start = started(self, (1, dataset.n_features), intercept)
        course = (loss, *(getattr(self, name) for name in COURSE))
        saved = kept_at(checkpoint, self, dataset, course, start)
        return problem.descend(descent, start, fold, saved, progress, _shown)


def _shown(model: LinearModel) -> dict[str, Any]:
    """The fitted attributes of a model."""
    return {"coef_": model.coef[0], "intercept_": float(model.intercept[0])}


def tweedie_deviance(y: Float64Array, mean: Float64Array, power: float) -> Float64Array:
    """The deviance of each row, of the shape of `y`, as of scikit-learn's metrics."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if power == 0:
            return (y - mean) ** 2
        if power == 1:
            return 2 * (np.where(y > 0, y * np.log(y / mean), 0.0) - y + mean)
        if power == 2:
            return 2 * (np.log(mean / y) + y / mean - 1)
        of_y = np.maximum(y, 0.0) ** (2 - power) / ((1 - power) * (2 - power))
        return 2 * (
            of_y - y * mean ** (1 - power) / (1 - power) + mean ** (2 - power) / (2 - power)
        )


def _constant(loss: Loss, summary: Summary, fold: Fold) -> tuple[Float64Array, Float64Array]:
    """The mean target and the raw prediction that gives it, each of shape (1,). One pass."""
    weight, total = fold(ExactSum(TargetSums(), 2))
    mean = np.array([total / weight])
    if isinstance(loss, HalfSquaredError):
        return mean, mean
    least = LEAST_MEAN * max(map(abs, summary.target_range))
    mean, raw = np.maximum(mean, least or LEAST_MEAN), np.empty(1)
    _kernels.log(mean, raw)
    return mean, raw
