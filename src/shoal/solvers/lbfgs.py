"""L-BFGS."""

from dataclasses import dataclass, replace

import numpy as np

from shoal._typing import Float64Array
from shoal.solvers.line_search import backtrack
from shoal.solvers.linear_algebra import dot, product, solve_semidefinite
from shoal.solvers.objective import Evaluation, Objective
from shoal.solvers.solver import Fold, Solver, SolverState, Status

#: Steps remembered.
MEMORY = 10
#: Least curvature of a step that is remembered, as a part of its largest possible.
LEAST_CURVATURE = 1e-10
#: The Hessian is looked at after this many steps, then after twice as many, and so on.
FIRST_HESSIAN = 16
#: Its inverse takes O(n_parameters^3): by then steps have cost more.
PARAMETERS_A_STEP = 8
#: Of more parameters none is taken.
MOST_PARAMETERS = 512


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
    inverse_hessian : ndarray of shape (n_parameters, n_parameters), float64
        Where it was last looked at; of shape (0, 0) before.
    stalled : bool
        Whether no step along the last direction made the objective smaller.
    """

    parameters: Float64Array
    gradient: Float64Array
    value: float
    steps: Float64Array
    changes: Float64Array
    inverse_hessian: Float64Array
    stalled: bool


@dataclass(frozen=True, slots=True, eq=False)
class LBFGS(Solver[LBFGSState]):
    r"""Quasi-Newton steps from the last ten changes of the gradient.

    The first step is that of gradient descent at rate 1: the parameters are best scaled such that
    the Hessian at the start has a diagonal near one. Step 1 along the direction is tried first and
    mostly good, so that a step is one pass, and one more before the first. Pairs of next to no
    curvature are not remembered ("cautious updates").

    Where many steps were not enough, as columns are nearly dependent, one pass gives the Hessian of
    a sample of rows, and the pairs begin anew from its inverse: after 16 steps, or one for every
    eight parameters if these are more, and each time there were twice as many; not beyond 512
    parameters.

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
    R. H. Byrd et al., "On the use of stochastic Hessian information in optimization methods for
    machine learning", SIAM J. Optim. 21 (2011).
    """

    objective: Objective
    start: Float64Array
    max_iter: int
    tol: float

    def init(self, fold: Fold) -> LBFGSState:
        here = self.objective.evaluate(self.start, fold)
        none = np.empty((0, len(self.start)))
        unknown = np.empty((0, 0))
        return LBFGSState(
            0, None, self.start, here.gradient, here.value, none, none, unknown, False
        )

    def step(self, state: LBFGSState, fold: Fold) -> LBFGSState:
        if self._looks_at_hessian(state.n_iter):
            state = self._with_hessian(state, fold)
        direction = -_newton_step(state)
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
            state.inverse_hessian,
            False,
        )

    def terminate(self, state: LBFGSState) -> Status | None:
        if np.abs(state.gradient).max() <= self.tol or state.stalled:
            return Status.CONVERGED
        return Status.MAX_ITER if state.n_iter >= self.max_iter else None

    def _looks_at_hessian(self, n_iter: int) -> bool:
        first = max(FIRST_HESSIAN, len(self.start) // PARAMETERS_A_STEP)
        times, rest = divmod(n_iter, first)
        is_power_of_two = times > 0 and times & (times - 1) == 0
        return rest == 0 and is_power_of_two and len(self.start) <= MOST_PARAMETERS

    def _with_hessian(self, state: LBFGSState, fold: Fold) -> LBFGSState:
        """`state` with the inverse of its Hessian in the place of the pairs."""
        hessian = self.objective.sampled_hessian(state.parameters, fold)
        none = state.steps[:0]
        inverse = solve_semidefinite(hessian, np.eye(len(hessian)))
        return replace(state, steps=none, changes=none, inverse_hessian=inverse)


def _stalled(state: LBFGSState) -> LBFGSState:
    """`state`, from which no step goes down; without memory, in case that is why."""
    none, unknown = state.steps[:0], state.inverse_hessian[:0, :0]
    return replace(
        state,
        n_iter=state.n_iter + 1,
        loss=state.value,
        steps=none,
        changes=none,
        inverse_hessian=unknown,
        stalled=not len(state.steps) and not len(state.inverse_hessian),
    )


def _newton_step(state: LBFGSState) -> Float64Array:
    """The two-loop recursion: H g, with H from the pairs (s, y) and a first H."""
    curvatures = [dot(s, y) for s, y in zip(state.steps, state.changes, strict=True)]
    pairs = list(zip(state.steps, state.changes, curvatures, strict=True))
    direction, weights = state.gradient, []
    for s, y, curvature in reversed(pairs):
        weights.append(dot(s, direction) / curvature)
        direction = direction - weights[-1] * y
    direction = _first_inverse_times(direction, state)
    for (s, y, curvature), weight in zip(pairs, reversed(weights), strict=True):
        direction = direction + (weight - dot(y, direction) / curvature) * s
    return direction


def _first_inverse_times(direction: Float64Array, state: LBFGSState) -> Float64Array:
    """By the inverse Hessian where it is known, else by ``s.y / y.y`` of the last pair, or 1."""
    if len(state.inverse_hessian):
        return product(state.inverse_hessian, direction)
    if not len(state.steps):
        return direction
    s, y = state.steps[-1], state.changes[-1]
    return direction * (dot(s, y) / dot(y, y))


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
