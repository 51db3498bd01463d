"""Smallest and largest value of each target."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import Float64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.statistics.range import largest_distance, middle


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where some targets lie.

    Attributes
    ----------
    minimum, maximum : ndarray of shape (n_outputs,), float64
        Infinities of the wrong sign where there are no rows.
    """

    minimum: Float64Array
    maximum: Float64Array

    @property
    def middle(self) -> Float64Array:
        """Halfway between the two, shape (n_outputs,)."""
        return middle(self.minimum, self.maximum)

    def largest_distance(self, point: Float64Array) -> Float64Array:
        """How far a target lies from `point` at most, shape (n_outputs,)."""
        return largest_distance(self.minimum, self.maximum, point)


@dataclass(frozen=True, slots=True)
class TargetRange(Statistic[Bounds, Bounds]):
    """Smallest and largest value of each of `n_outputs` numeric targets.

    One pass, O(n_outputs) memory.

    Parameters
    ----------
    n_outputs : int
    """

    n_outputs: int

    def zero(self) -> Bounds:
        return Bounds(np.full(self.n_outputs, np.inf), np.full(self.n_outputs, -np.inf))

    def update(self, partial: Bounds, block: Block) -> Bounds:
        targets = targets_of(block)
        return self.merge(partial, Bounds(targets.min(axis=0), targets.max(axis=0)))

    def merge(self, partial: Bounds, other: Bounds) -> Bounds:
        return Bounds(
            np.minimum(partial.minimum, other.minimum), np.maximum(partial.maximum, other.maximum)
        )

    def result(self, partial: Bounds) -> Bounds:
        return partial


def targets_of(block: Block) -> Float64Array:
    """The targets of a block as numbers, shape (n_rows, n_outputs), in C order."""
    assert block.target is not None
    targets = np.asarray(block.target, dtype=np.float64, order="C")
    return targets.reshape(block.n_rows, -1)
