"""Gradient descent."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import Float64Array
from shoal.exceptions import DivergenceError
from shoal.solvers.linear_algebra import dot, norm
from shoal.solvers.objective import Evaluation, Objective
from shoal.solvers.solver import Fold, Solver, SolverState, Status

#: By how much a rejected learning rate shrinks, and an accepted one grows before the next step.
SHRINK, GROW = 0.5, 1.25
#: A loss this many times as large as the first will not come down again.
DIVERGED = 1e6
#: Evaluations to find the curvature that a diverging fit is told of.
N_POWER_ITERATIONS = 16


@dataclass(frozen=True, slots=True)
class DescentState(SolverState):
    """Where gradient descent is.

    Attributes
    ----------
    parameters, gradient : ndarray of shape (n_parameters,), float64
    value : float
        The smooth part of the objective there.
    learning_rate : float
        Of the last step.
    first_loss : float
        Objective at the start.
    largest_change : float
        Largest change of a parameter in the last step.
    """

    parameters: Float64Array
    gradient: Float64Array
    value: float
    learning_rate: float
    first_loss: float
    largest_change: float


@dataclass(frozen=True, slots=True, eq=False)
class GradientDescent(Solver[DescentState]):
    r"""Goes down the gradient: :math:`w \leftarrow w - \eta \nabla J(w)`.

    With a part :math:`g` that is not smooth, :math:`w \leftarrow \mathrm{prox}_{\eta g}(w - \eta
    \nabla f(w))` (proximal gradient). One pass a step and one before the first; with backtracking
    a pass more for each rate that is rejected.

    Parameters
    ----------
    objective : Objective
    start : ndarray of shape (n_parameters,), float64
    max_iter : int
    tol : float
        Ends once no component of the gradient, or with a non-smooth part of ``(w - w_next) /
        rate``, is larger; or once a step changes nothing.
    learning_rate : float
        The rate :math:`\eta`; with `backtracking` the one tried first.
    backtracking : bool, default=False
        Halves the rate until the decrease is that of a parabola of curvature :math:`1/\eta`; an
        accepted rate grows by a quarter before the next step.

    Raises
    ------
    DivergenceError
        The loss rises without bound: names the learning rate and one that the curvature allows.

    References
    ----------
    A.-L. Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées",
    C. R. Acad. Sci. Paris 25 (1847). A. Beck and M. Teboulle, "A fast iterative
    shrinkage-thresholding algorithm", SIAM J. Imaging Sci. 2 (2009), eq. (2.6).
    """

    objective: Objective
    start: Float64Array
    max_iter: int
    tol: float
    learning_rate: float
    backtracking: bool = False

    def init(self, fold: Fold) -> DescentState:
        here = self.objective.evaluate(self.start, fold)
        loss = here.value + self.objective.penalty_value(self.start)
        return DescentState(
            0, None, self.start, here.gradient, here.value, self.learning_rate, loss, np.inf
        )

    def step(self, state: DescentState, fold: Fold) -> DescentState:
        rate = state.learning_rate
        if self.backtracking and state.n_iter:
            rate *= GROW
        parameters, there = self._move(state, rate, fold)
        while self.backtracking and not _is_below_parabola(state, parameters, there, rate):
            rate *= SHRINK
            parameters, there = self._move(state, rate, fold)
        if not there.value <= DIVERGED * max(state.first_loss, np.finfo(np.float64).tiny):
            raise self._divergence(state, there, fold)
        loss = state.value + self.objective.penalty_value(state.parameters)
        return DescentState(
            state.n_iter + 1,
            loss,
            parameters,
            there.gradient,
            there.value,
            rate,
            state.first_loss,
            float(np.abs(parameters - state.parameters).max()),
        )

    def terminate(self, state: DescentState) -> Status | None:
        following = self._following(state, state.learning_rate)
        slope = np.abs(state.parameters - following).max() / state.learning_rate
        if slope <= self.tol or state.largest_change == 0:
            return Status.CONVERGED
        return Status.MAX_ITER if state.n_iter >= self.max_iter else None

    def _following(self, state: DescentState, rate: float) -> Float64Array:
        """The parameters after a step at `rate`."""
        return self.objective.prox(state.parameters - rate * state.gradient, rate)

    def _move(
        self, state: DescentState, rate: float, fold: Fold
    ) -> tuple[Float64Array, Evaluation]:
        parameters = self._following(state, rate)
        return parameters, self.objective.evaluate(parameters, fold)

    def _divergence(self, state: DescentState, there: Evaluation, fold: Fold) -> DivergenceError:
        curvature = largest_curvature(self.objective, state.parameters, state.gradient, fold)
        return DivergenceError(
            f"Gradient descent diverges: at step {state.n_iter + 1} the loss is {there.value:.3g}, "
            f"where it began at {state.first_loss:.3g}. learning_rate={self.learning_rate:.3g} is "
            f"too large for the curvature of the data, {curvature:.3g}: a rate of "
            f"{1 / curvature:.3g} is safe, learning_rate='backtracking' finds one."
        )


def largest_curvature(
    objective: Objective, parameters: Float64Array, direction: Float64Array, fold: Fold
) -> float:
    """The largest curvature of f about `parameters`, by power iterations of gradient differences.

    A pass an iteration. From below: exact if `direction` is the steepest one, as it is after some
    diverging steps.
    """
    origin = objective.evaluate(parameters, fold).gradient
    reach = 1e-4 * max(norm(parameters), 1.0)
    curvature = 0.0
    for _ in range(N_POWER_ITERATIONS):
        offset = direction * (reach / norm(direction))
        direction = objective.evaluate(parameters + offset, fold).gradient - origin
        curvature = max(curvature, norm(direction) / reach)
        if not curvature:
            break
    return curvature


def _is_below_parabola(
    state: DescentState, parameters: Float64Array, there: Evaluation, rate: float
) -> bool:
    """Whether f lies below the parabola of curvature ``1 / rate`` that touches it at `state`."""
    change = parameters - state.parameters
    parabola = state.value + dot(state.gradient, change) + dot(change, change) / (2 * rate)
    return there.value <= parabola + 1e-14 * abs(state.value)
