"""What an engine folds over blocks: the seam between a pass and what it computes."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from shoal.data.block import Block

Partial = TypeVar("Partial")
Result = TypeVar("Result")


class Statistic(ABC, Generic[Partial, Result]):
    """A mergeable summary of rows.

    A statistic is an immutable, picklable description of what to compute; what has been computed
    so far is its *partial*, a picklable value that engines hold one of a thread or worker.

    For any way of splitting rows into blocks and blocks among partials, in any order, the
    result is the same to the last bit: ``merge`` is associative and commutative with ``zero()``
    as identity. So sums are integers or fixed point (`shoal.statistics.fixed_point`), never
    running floats. Implementations pass ``shoal.testing.check_statistic``.
    """

    @property
    def beside_row_bytes(self) -> int:
        """Memory a row that ``update`` would like to keep in ``block.beside``.

        Engines reserve it, or where the budget has no room for it hand every block over with
        nothing beside it.
        """
        return 0

    @property
    def window_rows(self) -> int:
        """Blocks must begin at multiples of this many rows from the first of their cell.

        1 for statistics that do not care; others take the ``window_rows`` of their dataset, or
        what divides it: engines refuse anything else.
        """
        return 1

    @abstractmethod
    def zero(self) -> Partial:
        """The partial of no rows."""

    @abstractmethod
    def update(self, partial: Partial, block: Block) -> Partial:
        """`partial` with the rows of `block` counted in; may change and return its argument.

        May keep a cache in ``block.beside``. One thread at a time has a given block.
        """

    @abstractmethod
    def merge(self, partial: Partial, other: Partial) -> Partial:
        """What the rows of both give together; may change and return its first argument."""

    @abstractmethod
    def result(self, partial: Partial) -> Result:
        """The value that the caller wants, from the partial of all rows."""
