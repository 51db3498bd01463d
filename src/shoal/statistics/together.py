"""Several statistics in one pass."""

from dataclasses import dataclass
from math import lcm
from typing import Any

from shoal.data.block import Block
from shoal.engines.statistic import Statistic


@dataclass(frozen=True, slots=True)
class Together(Statistic[list[Any], tuple[Any, ...]]):
    """The results of several statistics, in their order, from one pass.

    Parameters
    ----------
    statistics : tuple of Statistic
        Those that keep something beside blocks keep it under names of their own.
    """

    statistics: tuple[Statistic[Any, Any], ...]

    @property
    def beside_row_bytes(self) -> int:
        return sum(statistic.beside_row_bytes for statistic in self.statistics)

    @property
    def window_rows(self) -> int:
        return lcm(*(statistic.window_rows for statistic in self.statistics))

    def zero(self) -> list[Any]:
        return [statistic.zero() for statistic in self.statistics]

    def update(self, partial: list[Any], block: Block) -> list[Any]:
        return [
            statistic.update(part, block)
            for statistic, part in zip(self.statistics, partial, strict=True)
        ]

    def merge(self, partial: list[Any], other: list[Any]) -> list[Any]:
        return [
            statistic.merge(part, more)
            for statistic, part, more in zip(self.statistics, partial, other, strict=True)
        ]

    def result(self, partial: list[Any]) -> tuple[Any, ...]:
        return tuple(
            statistic.result(part) for statistic, part in zip(self.statistics, partial, strict=True)
        )
