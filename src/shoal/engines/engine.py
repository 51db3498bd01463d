"""How a statistic is folded over a dataset: the seam that runs passes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from threading import Lock
from types import TracebackType
from typing import Any, Self, TypeVar

from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.source import Cell
from shoal.engines.statistic import Statistic
from shoal.exceptions import ParameterError

Partial = TypeVar("Partial")
Result = TypeVar("Result")

#: The engines of all ``with`` that this thread is in, the innermost last.
entered: ContextVar[tuple["Engine", ...]] = ContextVar("shoal_engines", default=())


class Engine(ABC):
    """Runs passes over a dataset's blocks.

    Engines decide where and in which order blocks are met, never what comes out: the same
    statistic over the same dataset gives the same bits on every engine. An engine is a context
    manager; inside ``with engine:`` it is the one that estimators use, and it is closed when the
    last ``with`` ends, of any thread. Implementations pass ``shoal.testing.check_engine``.
    """

    def __init__(self) -> None:
        self._n_entered = 0
        self._entering = Lock()

    @abstractmethod
    def fold(self, dataset: Dataset, statistic: Statistic[Partial, Result]) -> Result:
        """One pass: `statistic` over all rows of `dataset`.

        Begins with `check_windows`.
        """

    @abstractmethod
    def map_blocks(
        self, dataset: Dataset, function: Callable[[Block], Result]
    ) -> Iterator[tuple[Block, Result]]:
        """One pass: `function` of each block, in row order, a bounded number of them at a time.

        Engines whose blocks live elsewhere give a block without features (``X`` of shape
        ``(n_rows, 0)``): only its row numbers are to be used.
        """

    @abstractmethod
    def map_cells(
        self, dataset: Dataset, function: Callable[[Cell, Iterator[Block]], Result]
    ) -> list[Result]:
        """One pass: `function` of each cell and its blocks in row order; results in cell order.

        Each call runs in one thread, several at a time. What it computes from block to block may
        depend on their order, but not on where one ends and the next begins.
        """

    @abstractmethod
    def release(self, dataset: Dataset) -> None:
        """Forget everything kept of `dataset`: decoded blocks, cache files, what is beside them."""

    @abstractmethod
    def close(self) -> None:
        """Release everything, and stop what this engine started. Idempotent."""

    def __enter__(self) -> Self:
        with self._entering:
            self._n_entered += 1
        entered.set((*entered.get(), self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        entered.set(entered.get()[:-1])
        with self._entering:
            self._n_entered -= 1
            is_last = not self._n_entered
        if is_last:
            self.close()


def check_windows(dataset: Dataset, statistic: Statistic[Any, Any]) -> None:
    """Raise ParameterError where blocks of `dataset` may begin within a window of `statistic`."""
    if dataset.window_rows % statistic.window_rows:
        raise ParameterError(
            f"{type(statistic).__name__} takes windows of {statistic.window_rows} rows, which "
            f"blocks of a dataset with window_rows={dataset.window_rows} may cut through: its "
            "result would depend on the size of blocks. Make the statistic with a number that "
            "divides the dataset's window_rows."
        )
