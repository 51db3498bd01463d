"""Smallest and largest value of each column: what fixed-point scales are taken from."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from shoal._typing import Float64Array
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.engines.current import current_engine
from shoal.engines.statistic import Statistic
from shoal.exceptions import DataError


def middle(minimum: Float64Array, maximum: Float64Array) -> Float64Array:
    """Halfway between the two."""
    # Not half of their sum, which may be infinite.
    halfway: Float64Array = minimum / 2 + maximum / 2
    return halfway


def largest_distance(
    minimum: Float64Array, maximum: Float64Array, point: Float64Array
) -> Float64Array:
    """How far a value between `minimum` and `maximum` lies from `point` at most."""
    return np.maximum(np.abs(minimum - point), np.abs(maximum - point))


@dataclass(frozen=True, slots=True)
class ColumnRange:
    """The range of some rows.

    Attributes
    ----------
    n_rows : int
        Rows counted, dropped ones left out.
    minimum, maximum : ndarray of shape (n_features,), float64
        Infinities of the wrong sign where there are no rows.
    largest_weight : float
        1 for rows without weights.
    n_weighted_rows : int
        Rows whose weight is above 0.
    """

    n_rows: int
    minimum: Float64Array
    maximum: Float64Array
    largest_weight: float
    n_weighted_rows: int

    @property
    def middle(self) -> Float64Array:
        """Halfway between smallest and largest value, shape (n_features,)."""
        return middle(self.minimum, self.maximum)

    def largest_distance(self, point: Float64Array) -> Float64Array:
        """How far a value of each column lies from `point` at most, shape (n_features,)."""
        return largest_distance(self.minimum, self.maximum, point)

    def merge(self, other: Self) -> "ColumnRange":
        return ColumnRange(
            self.n_rows + other.n_rows,
            np.minimum(self.minimum, other.minimum),
            np.maximum(self.maximum, other.maximum),
            max(self.largest_weight, other.largest_weight),
            self.n_weighted_rows + other.n_weighted_rows,
        )


def require_weight(found: ColumnRange) -> None:
    """Raise DataError where no row is left, or none has a weight above 0."""
    if not found.n_rows:
        raise DataError("Found array with 0 sample(s): every row has a missing value.")
    if not found.n_weighted_rows:
        raise DataError("Input sample_weight is all zero: no row counts. Give some row a weight.")


def look_at_all_rows(dataset: Dataset) -> int:
    """How many rows there are, dropped ones left out; bad ones are found now, by their number."""
    return current_engine().fold(dataset, Range(dataset.n_features)).n_rows


@dataclass(frozen=True, slots=True)
class Range(Statistic[ColumnRange, ColumnRange]):
    """Number of rows and smallest and largest value of each column.

    One pass, O(n_features) memory. Blocks are measured when they are first read, so a pass over
    blocks that are in memory costs nothing.
    """

    n_features: int

    def zero(self) -> ColumnRange:
        return ColumnRange(
            0, np.full(self.n_features, np.inf), np.full(self.n_features, -np.inf), 0.0, 0
        )

    def update(self, partial: ColumnRange, block: Block) -> ColumnRange:
        weight = block.sample_weight
        return partial.merge(
            ColumnRange(
                block.n_rows,
                block.minimum,
                block.maximum,
                1.0 if weight is None else float(weight.max()),
                block.n_rows if weight is None else int(np.count_nonzero(weight)),
            )
        )

    def merge(self, partial: ColumnRange, other: ColumnRange) -> ColumnRange:
        return partial.merge(other)

    def result(self, partial: ColumnRange) -> ColumnRange:
        return partial
