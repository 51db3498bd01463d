"""Stochastic gradient descent."""

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import Protocol, TypeVar

import numpy as np

from shoal._typing import AnyArray, Float64Array
from shoal.data.block import Block
from shoal.data.source import Cell
from shoal.exceptions import DataError, DivergenceError
from shoal.solvers.sgd_replica import (
    Learning,
    Ran,
    Replica,
    Weights,
    Windows,
    averaged,
    not_finite_in_silence,
)
from shoal.solvers.solver import Fold, Solver, SolverState, Status
from shoal.statistics.largest_row import LargestRow

Result = TypeVar("Result")

#: A fit whose loss is this many times that of a model of zeros has diverged.
DIVERGED = 10.0
#: Adaptive rates are divided by this where the loss no longer falls, until they are this small.
_SLOWER, _SLOWEST = 5.0, 1e-6


class MapCells(Protocol):
    """A pass over the cells of the data that a fit is about, as of `Engine.map_cells`."""

    def __call__(self, function: Callable[[Cell, Iterator[Block]], Result]) -> list[Result]: ...


@dataclass(frozen=True, slots=True)
class SGDState(SolverState):
    """Where stochastic gradient descent is: `Weights`, field by field, and how it goes.

    Attributes
    ----------
    rate : float
        Of ``adaptive`` steps.
    first_loss : float
        Mean loss of a model of zeros.
    best : float
        The least that the mean loss, or that of the rows held out, has been after an epoch.
    n_without_improvement : int
        Epochs since it was lower by `tol`.
    validation_loss : float or None
        Mean loss of the rows held out.
    converged : bool
    """

    coef: AnyArray
    intercept: Float64Array
    n_steps: int
    due: float
    received: Float64Array | None
    total: Float64Array | None
    intercept_total: Float64Array | None
    n_averaged: float
    first: Float64Array | None
    second: Float64Array | None
    rate: float
    first_loss: float = np.inf
    best: float = np.inf
    n_without_improvement: int = 0
    validation_loss: float | None = None
    converged: bool = False

    @property
    def has_diverged(self) -> bool:
        # Of zeros, the perceptron's loss is 0.
        return self.loss is not None and self.loss > DIVERGED * (self.first_loss or 1.0)

    @property
    def weights(self) -> Weights:
        return Weights(**{field.name: getattr(self, field.name) for field in fields(Weights)})


@dataclass(frozen=True, slots=True, eq=False)
class SGD(Solver[SGDState]):
    r"""Goes down the gradient of the loss of a few rows at a time.

    .. math:: w \leftarrow w - \eta_t \left( s_i \ell'(y_i, w x_i + b) \, x_i + \lambda w \right),
              \qquad b \leftarrow b - \eta_t \, s_i \ell'(y_i, w x_i + b)

    A solver's step is an epoch, one pass: every cell is the work of a *replica*, which begins at
    the weights of the epoch before and visits its rows in the order of `windows`; their weights
    are then averaged, each by its rows, in the order of the cells. So the result depends on the
    number of cells and on nothing that runs them; with one cell it is the plain method.

    Parameters
    ----------
    map_cells : callable
        The pass over the cells.
    learning : Learning
    windows : Windows
    start : Weights
    max_iter : int
        Most epochs.
    tol : float
        What counts as an improvement of the mean loss; -inf: everything.
    n_iter_no_change : int
        Epochs without improvement that end the fit.
    adaptive : bool, default=False
        Whether they first divide the rate by 5, as long as it is above 1e-6.
    validate : callable, default=None
        ``validate(coef, intercept, fold)`` is the loss to improve, instead of the mean loss that
        an epoch has met.
    curvature : float, default=1.0
        Largest second derivative of the loss, for advice.
    rate_name : str, default="eta0"
        What the rate is called in messages.
    check_rows : callable, default=None
        ``check_rows()`` raises an error where a value of the rows is not finite. It is called when
        weights are not, which such a value cannot but lead to; None: rows are known to be.

    Raises
    ------
    DataError
        No row has a weight above 0.
    DivergenceError
        The loss rises to infinity: names the rate, and one that the data allow.

    References
    ----------
    H. Robbins and S. Monro, "A stochastic approximation method", Ann. Math. Stat. 22 (1951).
    L. Bottou, "Stochastic gradient descent tricks", 2012, for the schedules and sparse rows.
    M. Zinkevich, M. Weimer, A. Smola and L. Li, "Parallelized stochastic gradient descent",
    NIPS 2010, for averaged replicas.
    """

    map_cells: MapCells
    learning: Learning
    windows: Windows
    start: Weights
    _: KW_ONLY
    max_iter: int
    tol: float
    n_iter_no_change: int
    adaptive: bool = False
    validate: Callable[[AnyArray, Float64Array, Fold], float] | None = None
    curvature: float = 1.0
    rate_name: str = "eta0"
    check_rows: Callable[[], None] | None = None

    def init(self, fold: Fold) -> SGDState:
        return _state(0, None, self.start, self.learning.rate)

    def step(self, state: SGDState, fold: Fold) -> SGDState:
        learning = replace(self.learning, rate=state.rate)
        ran = self.map_cells(Replica(state.weights, learning, self.windows, state.n_iter))
        with not_finite_in_silence():
            weights, loss = averaged(ran), _mean([one.loss for one in ran], ran)
        first_loss = state.first_loss
        if state.n_iter == 0:
            first_loss = _mean([one.first_loss for one in ran], ran)
        if not (weights.is_finite and np.isfinite(loss)):
            if self.check_rows is not None:
                self.check_rows()
            raise DivergenceError(self.advice(loss, fold))
        following = replace(
            _state(state.n_iter + 1, loss, weights, state.rate),
            first_loss=first_loss,
            best=state.best,
            n_without_improvement=state.n_without_improvement,
        )
        if self.validate is None:
            return self._judged(following, loss)
        found = self.validate(*weights.model, fold)
        return replace(self._judged(following, found), validation_loss=found)

    def terminate(self, state: SGDState) -> Status | None:
        if state.converged:
            return Status.CONVERGED
        return Status.MAX_ITER if state.n_iter >= self.max_iter else None

    def _judged(self, state: SGDState, loss: float) -> SGDState:
        """The state, and whether its loss says to go on."""
        improved = not loss > state.best - self.tol
        n_without = 0 if improved else state.n_without_improvement + 1
        state = replace(state, best=min(state.best, loss), n_without_improvement=n_without)
        if n_without < self.n_iter_no_change:
            return state
        if self.adaptive and state.rate > _SLOWEST:
            return replace(state, rate=state.rate / _SLOWER, n_without_improvement=0)
        return replace(state, converged=True)

    def advice(self, loss: float, fold: Fold) -> str:
        """That the fit diverges, with a rate that would not. One pass."""
        largest = self.curvature * (fold(LargestRow()) + bool(self.learning.intercept_factor))
        return (
            f"Stochastic gradient descent diverges: the mean loss is {loss:.3g}. {self.rate_name} "
            f"is too large for the curvature of the data, up to {largest:.3g} in a row: a constant "
            f"rate of {1 / largest:.3g} is safe (learning_rate='constant', "
            f"eta0={1 / largest:.3g}); or scale the features."
        )


def _state(n_iter: int, loss: float | None, weights: Weights, rate: float) -> SGDState:
    values = {field.name: getattr(weights, field.name) for field in fields(Weights)}
    return SGDState(n_iter, loss, **values, rate=rate)


def _mean(sums: list[float], ran: list[Ran]) -> float:
    """The mean over rows of sums of replicas, added in their order."""
    weight = sum(one.weight for one in ran)
    if not weight:
        raise DataError("Sample weights are all zero, so there is nothing to learn from.")
    return sum(sums) / weight
