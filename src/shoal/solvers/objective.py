"""What a descent method minimises: the seam between solvers and models."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from shoal._typing import Float64Array
from shoal.solvers.solver import Fold


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The smooth part of an objective at one point.

    Attributes
    ----------
    value : float
    gradient : ndarray of shape (n_parameters,), float64
    hessian : ndarray of shape (n_parameters, n_parameters), float64, or None
        Where it was asked for.
    """

    value: float
    gradient: Float64Array
    hessian: Float64Array | None = None


class Objective(ABC):
    r"""A convex function :math:`J(w) = f(w) + g(w)` of one flat vector of parameters.

    :math:`f` is smooth, and evaluated by a pass over the data. :math:`g` may have corners or walls
    (an L1 norm, a constraint on signs) and is known by its proximal step alone; most objectives
    have none. Solvers know no more than this of what is fitted.

    All that a solver derives from an evaluation has one order of operations: the same parameters
    give the same bits.
    """

    @abstractmethod
    def evaluate(self, parameters: Float64Array, fold: Fold) -> Evaluation:
        """Value and gradient of f. One pass, or none where sums of the data are known."""

    @abstractmethod
    def evaluate_hessian(self, parameters: Float64Array, fold: Fold) -> Evaluation:
        """Value, gradient and Hessian of f. One pass."""

    def sampled_hessian(self, parameters: Float64Array, fold: Fold) -> Float64Array:
        """About the Hessian of f, good enough to precondition by. One pass, or none."""
        hessian = self.evaluate_hessian(parameters, fold).hessian
        assert hessian is not None
        return hessian

    def penalty_value(self, parameters: Float64Array) -> float:
        """The value of g."""
        return 0.0

    def prox(self, parameters: Float64Array, step: float) -> Float64Array:
        r"""The proximal step :math:`\arg\min_v |v - w|^2 / 2 + \mathrm{step} \cdot g(v)`."""
        return parameters
