"""Nesterov's accelerated gradient method, which with a proximal step is FISTA."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from shoal._typing import Float64Array
from shoal.solvers.linear_algebra import dot, norm
from shoal.solvers.objective import Evaluation, Objective
from shoal.solvers.solver import Fold, Solver, SolverState, Status


@dataclass(frozen=True, slots=True)
class NesterovState(SolverState):
    """Where the accelerated gradient method is.

    Attributes
    ----------
    parameters : ndarray of shape (n_parameters,), float64
    ahead, gradient : ndarray of shape (n_parameters,), float64
        Where momentum carries the parameters, and the gradient of the smooth part there.
    value : float
        The smooth part there.
    momentum : float
        The sequence t of the method, 1 after a restart.
    curvature : float
        One over the length of the next step.
    largest_slope : float
        Largest component of the last proximal step over its length: of the gradient, where all
        is smooth.
    """

    parameters: Float64Array
    ahead: Float64Array
    gradient: Float64Array
    value: float
    momentum: float
    curvature: float
    largest_slope: float


@dataclass(frozen=True, slots=True, eq=False)
class Nesterov(Solver[NesterovState]):
    r"""Gradient steps from where momentum leads, which is dropped when it leads uphill.

    .. math::
        w_{k+1} &= \mathrm{prox}_{g/L}(z_k - \nabla f(z_k) / L) \\
        z_{k+1} &= w_{k+1} + \frac{t_k - 1}{t_{k+1}} (w_{k+1} - w_k), \quad
        t_{k+1} = \frac{1 + \sqrt{1 + 4 t_k^2}}{2}

    restarted with :math:`t = 1` whenever :math:`(z_k - w_{k+1}) \cdot (w_{k+1} - w_k) > 0`. L
    grows to the largest ratio met of a change of the gradient to the change of z: a step that
    shows L to be too small is taken again. One pass a step, one before the first, and one for
    each step taken again.

    Parameters
    ----------
    objective : Objective
    start : ndarray of shape (n_parameters,), float64
    max_iter : int
    tol : float
        Ends once no component of :math:`L (z_k - w_{k+1})` is larger: of the gradient, where all
        is smooth.
    learning_rate : float
        1 / L at first.

    References
    ----------
    Y. Nesterov, "A method of solving a convex programming problem with convergence rate
    O(1/k^2)", Soviet Math. Dokl. 27 (1983). A. Beck and M. Teboulle, "A fast iterative
    shrinkage-thresholding algorithm", SIAM J. Imaging Sci. 2 (2009). B. O'Donoghue and E. Candès,
    "Adaptive restart for accelerated gradient schemes", Found. Comput. Math. 15 (2015).
    """

    objective: Objective
    start: Float64Array
    max_iter: int
    tol: float
    learning_rate: float

    def init(self, fold: Fold) -> NesterovState:
        here = self.objective.evaluate(self.start, fold)
        return NesterovState(
            0,
            None,
            self.start,
            self.start,
            here.gradient,
            here.value,
            1.0,
            1 / self.learning_rate,
            np.inf,
        )

    def step(self, state: NesterovState, fold: Fold) -> NesterovState:
        curvature = state.curvature
        while True:
            parameters = self.objective.prox(
                state.ahead - state.gradient / curvature, 1 / curvature
            )
            ahead, momentum = _carried(state, parameters)
            there = self.objective.evaluate(ahead, fold)
            if (found := _secant(state, ahead, there)) <= curvature:
                break
            curvature = min(max(found, 2 * curvature), 10 * curvature)
        return NesterovState(
            state.n_iter + 1,
            state.value + self.objective.penalty_value(state.ahead),
            parameters,
            ahead,
            there.gradient,
            there.value,
            momentum,
            curvature,
            float(curvature * np.abs(state.ahead - parameters).max()),
        )

    def terminate(self, state: NesterovState) -> Status | None:
        if state.largest_slope <= self.tol:
            return Status.CONVERGED
        return Status.MAX_ITER if state.n_iter >= self.max_iter else None


def _carried(state: NesterovState, parameters: Float64Array) -> tuple[Float64Array, float]:
    """Where momentum carries `parameters`, and the next of its sequence."""
    change = parameters - state.parameters
    if dot(state.ahead - parameters, change) > 0:
        return parameters, 1.0
    momentum = (1 + sqrt(1 + 4 * state.momentum**2)) / 2
    return parameters + (state.momentum - 1) / momentum * change, momentum


def _secant(state: NesterovState, ahead: Float64Array, there: Evaluation) -> float:
    """The curvature that two gradients tell of; infinite where the function is.

    What changes by no more than rounding tells of none.
    """
    change = norm(there.gradient - state.gradient)
    if not np.isfinite(there.value + change):
        return np.inf
    distance = norm(ahead - state.ahead)
    return change / distance if distance > 1e-10 * norm(ahead) else 0.0
