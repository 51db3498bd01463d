"""The objective of a penalised linear model."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import Float64Array
from shoal.linear_model.coordinates import Coordinates
from shoal.linear_model.mean_loss import MeanLoss
from shoal.penalties import L1, L2
from shoal.solvers.objective import Evaluation, Objective
from shoal.solvers.solver import Fold


@dataclass(frozen=True, slots=True, eq=False)
class LinearObjective(Objective):
    r"""Mean loss and penalty of a linear model, in the coordinates of a solver.

    .. math:: J(W, b) = \frac{1}{\sum_i s_i} \sum_i s_i \ell(y_i, W (x_i - m) + b)
              + \frac{\lambda_2}{2} |W|_2^2 + \lambda_1 |W|_1

    Penalties are on the coefficients of the original columns, whatever the coordinates, and never
    on the intercept.

    Parameters
    ----------
    loss : MeanLoss
    l2 : L2
    l1 : L1
    coordinates : Coordinates
    positive : bool, default=False
        Whether coefficients must not be negative.
    """

    loss: MeanLoss
    l2: L2
    l1: L1
    coordinates: Coordinates
    positive: bool = False

    def evaluate(self, parameters: Float64Array, fold: Fold) -> Evaluation:
        coef, intercept = self.coordinates.model(parameters)
        found = self.loss.evaluate(coef, intercept, fold)
        return Evaluation(
            found.value + self.l2.value(coef),
            self.coordinates.gradient(found.by_coef + self.l2.gradient(coef), found.by_intercept),
        )

    def evaluate_hessian(self, parameters: Float64Array, fold: Fold) -> Evaluation:
        coef, intercept = self.coordinates.model(parameters)
        found = self.loss.evaluate_hessian(coef, intercept, fold)
        assert found.hessian is not None
        return Evaluation(
            found.value + self.l2.value(coef),
            self.coordinates.gradient(found.by_coef + self.l2.gradient(coef), found.by_intercept),
            self._penalised(found.hessian, coef.size),
        )

    def sampled_hessian(self, parameters: Float64Array, fold: Fold) -> Float64Array:
        coef, intercept = self.coordinates.model(parameters)
        return self._penalised(self.loss.sampled_hessian(coef, intercept, fold), coef.size)

    def penalty_value(self, parameters: Float64Array) -> float:
        return self.l1.value(self.coordinates.model(parameters)[0])

    def prox(self, parameters: Float64Array, step: float) -> Float64Array:
        """The proximal step, coefficient by coefficient: U is W over a scale."""
        scale = self.coordinates.scale
        coef = scale * parameters[: scale.size].reshape(scale.shape)
        shrunk = self.l1.prox(coef, step * scale**2)
        if self.positive:
            shrunk = np.maximum(shrunk, 0.0)
        return np.concatenate([(shrunk / scale).ravel(), parameters[scale.size :]])

    def _penalised(self, hessian: Float64Array, n_coefficients: int) -> Float64Array:
        """The Hessian by the parameters, from that of the loss by W and b."""
        curvature = np.zeros(len(hessian))
        curvature[:n_coefficients] = self.l2.curvature
        return self.coordinates.hessian(hessian + np.diag(curvature))
