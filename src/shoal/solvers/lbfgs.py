"""L-BFGS."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import Float64Array
from shoal.solvers.line_search import backtrack
from shoal.solvers.linear_algebra import dot
from shoal.solvers.objective import Evaluation, Objective
from shoal.solvers.solver import Fold, Solver, SolverState, Status

#: Steps remembered.
MEMORY = 10
#: Least curvature of a step that is remembered, as a part of its largest possible.
LEAST_CURVATURE = 1e-10


@dataclass(frozen=True, slots=True)
class LBFGSState(SolverState):
    """Where L-BFGS is.

    Attributes
    ----------
    parameters, gradient : ndarray of shape (n_parameters,), float64
    value : float
        The objective there.
    steps, changes : ndarray of shape (at most 10, n_parameters), float64
        The last changes of the parameters and of the gradient, oldest first.
    stalled : bool
        Whether no step along the last direction made the objective smaller.
    """

    parameters: Float64Array
    gradient: Float64Array
    value: float
    steps: Float64Array
    changes: Float64Array
    stalled: bool


@dataclass(frozen=True, slots=True, eq=False)
class LBFGS(Solver[LBFGSState]):
    r"""Quasi-Newton steps from the last ten changes of the gradient.

    The first step is that of gradient descent at rate 1: the parameters are best scaled such that
    the Hessian at the start has a diagonal near one. Step 1 along the direction is tried first and
    mostly good, so that a step is one pass, and one more before the first. Pairs of next to no
    curvature are not remembered ("cautious updates").

    Parameters
    ----------
    objective : Objective
        All smooth.
    start : ndarray of shape (n_parameters,), float64
    max_iter : int
    tol : float
        Ends once no component of the gradient is larger, or once no step along the direction makes
        the objective smaller.

    References
    ----------
    J. Nocedal, "Updating quasi-Newton matrices with limited storage", Math. Comp. 35 (1980).
    D.-H. Li and M. Fukushima, "On the global convergence of the BFGS method for nonconvex
    unconstrained optimization problems", SIAM J. Optim. 11 (2001).
    """

    objective: Objective
    start: Float64Array
    max_iter: int
    tol: float

    def init(self, fold: Fold) -> LBFGSState:
        here = self.objective.evaluate(self.start, fold)
        none = np.empty((0, len(self.start)))
        return LBFGSState(0, None, self.start, here.gradient, here.value, none, none, False)

    def step(self, state: LBFGSState, fold: Fold) -> LBFGSState:
        direction = -_inverse_hessian_times(state.gradient, state.steps, state.changes)
        found = backtrack(
            lambda step: self.objective.evaluate(state.parameters + step * direction, fold),
            Evaluation(state.value, state.gradient),
            dot(state.gradient, direction),
        )
        if found is None:
            return _stalled(state)
        length, there = found
        step, change = length * direction, there.gradient - state.gradient
        return LBFGSState(
            state.n_iter + 1,
            state.value,
            state.parameters + step,
            there.gradient,
            there.value,
            *_remembered(state, step, change),
            False,
        )

    def terminate(self, state: LBFGSState) -> Status | None:
        if np.abs(state.gradient).max() <= self.tol or state.stalled:
            return Status.CONVERGED
        return Status.MAX_ITER if state.n_iter >= self.max_iter else None


def _stalled(state: LBFGSState) -> LBFGSState:
    """`state`, from which no step goes down; without memory, in case that is why."""
    none = state.steps[:0]
    return LBFGSState(
        state.n_iter + 1,
        state.value,
        state.parameters,
        state.gradient,
        state.value,
        none,
        none,
        not len(state.steps),
    )


def _inverse_hessian_times(
    gradient: Float64Array, steps: Float64Array, changes: Float64Array
) -> Float64Array:
    """The two-loop recursion: H g, with H from the pairs (s, y) and first ``s.y / y.y``."""
    if not len(steps):
        return gradient
    curvatures = [dot(s, y) for s, y in zip(steps, changes, strict=True)]
    pairs = list(zip(steps, changes, curvatures, strict=True))
    direction, weights = gradient, []
    for s, y, curvature in reversed(pairs):
        weights.append(dot(s, direction) / curvature)
        direction = direction - weights[-1] * y
    direction = direction * (curvatures[-1] / dot(changes[-1], changes[-1]))
    for (s, y, curvature), weight in zip(pairs, reversed(weights), strict=True):
        direction = direction + (weight - dot(y, direction) / curvature) * s
    return direction


def _remembered(
    state: LBFGSState, step: Float64Array, change: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """The last pairs with one more, if it has curvature: else H were not positive."""
    if dot(step, change) <= LEAST_CURVATURE * max(dot(step, step), dot(change, change)):
        return state.steps, state.changes
    return (
        np.vstack([state.steps, step])[-MEMORY:],
        np.vstack([state.changes, change])[-MEMORY:],
    )
