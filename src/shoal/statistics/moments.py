"""Means and variances of columns, exact in any order."""

from dataclasses import dataclass

import numpy as np

from shoal import _kernels
from shoal._typing import Float64Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.statistics.fixed_point import Scale, add_weights, choose_scale, to_float
from shoal.statistics.range import ColumnRange


@dataclass(frozen=True, slots=True)
class ColumnMoments:
    """First and second moments of some rows.

    Attributes
    ----------
    mean, variance : ndarray of shape (n_features,), float64
        Weighted by the sample weights, if there are any; the variance divides by their sum.
    weight : float
        Sum of weights, or number of rows.
    """

    mean: Float64Array
    variance: Float64Array
    weight: float


@dataclass(slots=True)
class ExactMoments:
    """Fixed-point sums.

    Of w (x - middle) and w (x - middle)^2, of shape (n_limbs, n_features); of w, (n_limbs,).
    """

    sums: Int64Array
    squares: Int64Array
    weight: Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Moments(Statistic[ExactMoments, ColumnMoments]):
    r"""Weighted mean and variance of each column.

    .. math:: \bar x = m + \frac{\sum_i w_i (x_i - m)}{\sum_i w_i}, \qquad
              s^2 = \frac{\sum_i w_i (x_i - m)^2}{\sum_i w_i} - (\bar x - m)^2

    about the middle :math:`m` of each column's range, in fixed point. One pass, O(n_features)
    memory.

    Parameters
    ----------
    middle : ndarray of shape (n_features,), float64
    scale, square_scale, weight_scale : Scale
    weighted : bool
    """

    middle: Float64Array
    scale: Scale
    square_scale: Scale
    weight_scale: Scale
    weighted: bool

    @classmethod
    def within(cls, found: ColumnRange, middle: Float64Array, weighted: bool) -> "Moments":
        """The statistic for rows of a known range."""
        largest = found.largest_distance(middle)
        weight = found.largest_weight

        def scale(bound: Float64Array | float) -> Scale:
            return choose_scale(bound, found.n_rows, np.float64)

        return cls(
            middle, scale(weight * largest), scale(weight * largest**2), scale(weight), weighted
        )

    def zero(self) -> ExactMoments:
        shape = (self.scale.limbs, len(self.middle))
        return ExactMoments(
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
            np.zeros(self.scale.limbs, dtype=np.int64),
        )

    def update(self, partial: ExactMoments, block: Block) -> ExactMoments:
        X = block.X
        scales = (self.scale.exponents, self.square_scale.exponents)
        into = (partial.sums, partial.squares)
        options = {"weights": block.sample_weight, "low_bits": self.scale.low_bits}
        if isinstance(X, np.ndarray):
            _kernels.column_moments(X, self.middle, *scales, *into, **options)
        else:
            _kernels.column_moments_csr(X.data, X.indices, X.indptr, *scales, *into, **options)
        add_weights(partial.weight, block, self.weight_scale)
        return partial

    def merge(self, partial: ExactMoments, other: ExactMoments) -> ExactMoments:
        partial.sums += other.sums
        partial.squares += other.squares
        partial.weight += other.weight
        return partial

    def result(self, partial: ExactMoments) -> ColumnMoments:
        weight = float(to_float(partial.weight, self.weight_scale))
        offset = to_float(partial.sums, self.scale) / weight
        squares = to_float(partial.squares, self.square_scale) / weight
        variance = np.maximum(squares - offset**2, 0.0)
        return ColumnMoments(self.middle + offset, variance, weight)
