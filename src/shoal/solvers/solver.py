"""An iterative fit as a value: the seam that every optimisation method implements."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from shoal.engines.statistic import Statistic

Result = TypeVar("Result")


class Fold(Protocol):
    """One pass over the data that a fit is about: an engine bound to a dataset."""

    def __call__(self, statistic: Statistic[Any, Result]) -> Result: ...


class Status(Enum):
    """Why an iterative fit ended."""

    CONVERGED = "converged"
    MAX_ITER = "max_iter reached"
    STOPPED = "stopped by a callback"


@dataclass(frozen=True, slots=True)
class SolverState:
    """The truth of an iterative fit between two steps.

    Concrete states are frozen dataclasses derived from this one whose fields are arrays,
    numbers, strings, booleans or None: all that a checkpoint needs to go on to the same bits.

    Parameters
    ----------
    n_iter : int
        Steps taken.
    loss : float or None
        Objective before the last step, for progress and ``loss_curve_``; None before the first.
    """

    n_iter: int
    loss: float | None


State = TypeVar("State", bound=SolverState)


class Solver(ABC, Generic[State]):
    """``init``, then ``step`` until ``terminate`` says why to end.

    A solver reaches data through `fold` alone and keeps nothing between calls: from the same
    state, a step gives the same bits. `shoal.solvers.driver.run` is the loop.
    """

    @abstractmethod
    def init(self, fold: Fold) -> State:
        """The state before the first step."""

    @abstractmethod
    def step(self, state: State, fold: Fold) -> State:
        """The state after one more step."""

    @abstractmethod
    def terminate(self, state: State) -> Status | None:
        """Why to end here, or None to go on."""
