"""Newton's method."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import Float64Array
from shoal.solvers.line_search import backtrack
from shoal.solvers.linear_algebra import dot, solve_semidefinite
from shoal.solvers.objective import Evaluation, Objective
from shoal.solvers.solver import Fold, Solver, SolverState, Status


@dataclass(frozen=True, slots=True)
class NewtonState(SolverState):
    """Where Newton's method is.

    Attributes
    ----------
    parameters, gradient : ndarray of shape (n_parameters,), float64
    hessian : ndarray of shape (n_parameters, n_parameters), float64
    value : float
        The objective there.
    stalled : bool
        Whether no step along the last direction made the objective smaller.
    """

    parameters: Float64Array
    gradient: Float64Array
    hessian: Float64Array
    value: float
    stalled: bool


@dataclass(frozen=True, slots=True, eq=False)
class Newton(Solver[NewtonState]):
    r"""Steps to the minimum of the parabola that touches: :math:`w \leftarrow w - H^{+} \nabla J`.

    A singular Hessian (columns that depend on each other, all classes of a multinomial model)
    gives the step of least norm. A step is one pass, and one more before the first; steps are
    halved or more, at a pass each, where step 1 does not go down.

    Parameters
    ----------
    objective : Objective
        All smooth, with a Hessian.
    start : ndarray of shape (n_parameters,), float64
    max_iter : int
    tol : float
        Ends once no component of the gradient is larger, or once no step makes the objective
        smaller.

    Notes
    -----
    O(n_parameters^2) memory and O(n_parameters^3) work a step beside the pass.
    """

    objective: Objective
    start: Float64Array
    max_iter: int
    tol: float

    def init(self, fold: Fold) -> NewtonState:
        return self._state(0, None, self.start, self.objective.evaluate_hessian(self.start, fold))

    def step(self, state: NewtonState, fold: Fold) -> NewtonState:
        direction = -solve_semidefinite(state.hessian, state.gradient[:, None])[:, 0]
        here = Evaluation(state.value, state.gradient, state.hessian)
        found = backtrack(
            lambda step: self.objective.evaluate_hessian(state.parameters + step * direction, fold),
            here,
            dot(state.gradient, direction),
        )
        length, there = found or (0.0, here)
        return self._state(
            state.n_iter + 1,
            state.value,
            state.parameters + length * direction,
            there,
            stalled=found is None,
        )

    def terminate(self, state: NewtonState) -> Status | None:
        if np.abs(state.gradient).max() <= self.tol or state.stalled:
            return Status.CONVERGED
        return Status.MAX_ITER if state.n_iter >= self.max_iter else None

    @staticmethod
    def _state(
        n_iter: int,
        loss: float | None,
        parameters: Float64Array,
        there: Evaluation,
        stalled: bool = False,
    ) -> NewtonState:
        if there.hessian is None:
            raise TypeError("evaluate_hessian gave no Hessian")
        return NewtonState(
            n_iter, loss, parameters, there.gradient, there.hessian, there.value, stalled
        )
