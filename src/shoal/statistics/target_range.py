"""Smallest and largest target, and whether a loss can take all of them."""

from dataclasses import dataclass, field

import numpy as np

from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.losses import Loss
from shoal.statistics.target_codes import TargetCodes

#: Smallest and largest; infinities of the wrong sign where there are no rows.
Extremes = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class TargetRange(Statistic[Extremes, Extremes]):
    """Smallest and largest target over all outputs.

    One pass, O(1) memory.

    Parameters
    ----------
    loss : Loss
        Whose domain the targets are to lie in.
    codes : TargetCodes

    Raises
    ------
    DataError
        In the pass, where a target lies outside the domain of the loss.
    """

    loss: Loss
    codes: TargetCodes = field(default_factory=TargetCodes)

    def zero(self) -> Extremes:
        return np.inf, -np.inf

    def update(self, partial: Extremes, block: Block) -> Extremes:
        target = self.codes(block)
        self.loss.check_target(target)
        # Adding 0.0 makes -0.0 equal to 0.0 to the last bit.
        return self.merge(partial, (float(target.min()) + 0.0, float(target.max()) + 0.0))

    def merge(self, partial: Extremes, other: Extremes) -> Extremes:
        return min(partial[0], other[0]), max(partial[1], other[1])

    def result(self, partial: Extremes) -> Extremes:
        return partial
