"""The mean loss of a linear model over all rows: what its solvers minimise, but for a penalty."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from shoal._typing import Float64Array
from shoal.solvers.solver import Fold


@dataclass(frozen=True, slots=True)
class LossMeans:
    """A mean loss at one model.

    Attributes
    ----------
    value : float
        Infinite where it is too large for a number.
    by_coef : ndarray of shape (n_outputs, n_features), float64
        Gradient by W.
    by_intercept : ndarray of shape (n_outputs,), float64
        Gradient by b.
    hessian : ndarray of shape (n, n), float64, or None
        By W, row after row, and b, where it was asked for.
    """

    value: float
    by_coef: Float64Array
    by_intercept: Float64Array
    hessian: Float64Array | None = None


class MeanLoss(ABC):
    """Weighted mean over the rows of the loss at raw predictions ``W (x - shift) + b``."""

    @abstractmethod
    def evaluate(self, coef: Float64Array, intercept: Float64Array, fold: Fold) -> LossMeans:
        """Value and gradient."""

    @abstractmethod
    def evaluate_hessian(
        self, coef: Float64Array, intercept: Float64Array, fold: Fold
    ) -> LossMeans:
        """Value, gradient and Hessian."""

    @abstractmethod
    def sampled_hessian(
        self, coef: Float64Array, intercept: Float64Array, fold: Fold
    ) -> Float64Array:
        """About the Hessian: that of a sample of rows."""
