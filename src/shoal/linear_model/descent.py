"""Which solver descends, and how its fit ends."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sklearn.exceptions import ConvergenceWarning

from shoal._typing import Float64Array
from shoal.callbacks import FitProgress
from shoal.exceptions import ParameterError
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.driver import run
from shoal.solvers.gradient_descent import GradientDescent
from shoal.solvers.lbfgs import LBFGS
from shoal.solvers.nesterov import Nesterov
from shoal.solvers.newton import Newton
from shoal.solvers.objective import Objective
from shoal.solvers.solver import Fold, Solver, Status

#: A rate, or that of each step found by halving.
LearningRate: TypeAlias = float | Literal["backtracking"]

#: Solvers that take an objective with corners, and those that do not.
PROXIMAL_SOLVERS = ("gradient_descent", "nesterov")
SMOOTH_SOLVERS = (*PROXIMAL_SOLVERS, "lbfgs", "newton")


@dataclass(frozen=True, slots=True)
class Descent:
    """How to descend.

    Parameters
    ----------
    solver : {"gradient_descent", "nesterov", "lbfgs", "newton"}
    max_iter : int
    tol : float
    learning_rate : float or "backtracking"
        Of gradient descent, or the first of Nesterov's method.
    """

    solver: str
    max_iter: int
    tol: float
    learning_rate: LearningRate

    @property
    def is_textbook(self) -> bool:
        """Whether steps are those of the textbook, at a rate that has no meaning elsewhere."""
        return self.solver == "gradient_descent" and self.learning_rate != "backtracking"

    def run(
        self,
        objective: Objective,
        start: Float64Array,
        fold: Fold,
        checkpoint: Checkpoint | None,
        progress: FitProgress,
        attributes: Callable[[Float64Array], Mapping[str, Any]],
    ) -> "Descended":
        """Descend from `start`; warns where `max_iter` steps were not enough.

        ``attributes(parameters)`` are the fitted attributes of a model that ended there.
        """
        state, status, loss_curve = run(
            self._solver(objective, start),
            fold,
            checkpoint=checkpoint,
            progress=progress,
            attributes=lambda state: {"n_iter_": state.n_iter, **attributes(state.parameters)},
        )
        if status is Status.MAX_ITER:
            warnings.warn(
                f"{self.solver} did not converge within max_iter={self.max_iter}: the loss is "
                f"{state.value:.6g}, its gradient above tol={self.tol:g}. Increase max_iter, scale "
                "the features, or penalise more.",
                ConvergenceWarning,
                stacklevel=4,
            )
        return Descended(state.parameters, state.n_iter, loss_curve)

    def _solver(self, objective: Objective, start: Float64Array) -> Solver[Any]:
        common = (objective, start, self.max_iter, self.tol)
        if self.solver == "lbfgs":
            return LBFGS(*common)
        if self.solver == "newton":
            return Newton(*common)
        backtracking = self.learning_rate == "backtracking"
        rate = 1.0 if isinstance(self.learning_rate, str) else float(self.learning_rate)
        if self.solver == "nesterov":
            return Nesterov(*common, rate)
        return GradientDescent(*common, rate, backtracking)


@dataclass(frozen=True, slots=True)
class Descended:
    """Where a descent ended."""

    parameters: Float64Array
    n_iter: int
    loss_curve: list[float]


def check_learning_rate(estimator: Any) -> None:
    """Raise ParameterError unless ``learning_rate`` is a number above 0 or "backtracking"."""
    rate = estimator.learning_rate
    is_number = isinstance(rate, int | float) and not isinstance(rate, bool)
    if rate != "backtracking" and not (is_number and 0 < rate < float("inf")):
        raise ParameterError(
            f"The 'learning_rate' parameter of {type(estimator).__name__} must be a float above 0 "
            f"or 'backtracking'. Got {rate!r} instead."
        )
