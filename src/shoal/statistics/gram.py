"""Second moments of features and targets: all that squared error needs to know of the rows."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import DTypeLike

from shoal import _kernels
from shoal._typing import Float64Array, Int32Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.exceptions import DataError
from shoal.statistics.fixed_point import MOST_BITS, Scale, choose_scale, to_float
from shoal.statistics.range import ColumnRange
from shoal.statistics.target_range import Bounds, targets_of

#: Rows whose products are summed as floats, on the grid of their cell: blocks begin on it.
GROUP_ROWS = 64


@dataclass(frozen=True, slots=True)
class SecondMoments:
    r"""Weighted means, and second moments about them, of features :math:`x` and targets :math:`y`.

    Attributes
    ----------
    weight : float
        Sum of weights, or number of rows.
    mean : ndarray of shape (n_features,), float64
    target_mean : ndarray of shape (n_outputs,), float64
    gram : ndarray of shape (n_features, n_features), float64
        :math:`\frac{1}{\sum_i w_i} \sum_i w_i (x_i - \bar x)(x_i - \bar x)^\top`.
    cross : ndarray of shape (n_features, n_outputs), float64
        The same of features and targets.
    target_gram : ndarray of shape (n_outputs, n_outputs), float64
        The same of targets.
    offset : ndarray of shape (n_features + n_outputs,), float64
        How far the means lie from the point about which moments were taken, in standard
        deviations: where it is large, digits were lost; 0 for constant columns.
    """

    weight: float
    mean: Float64Array
    target_mean: Float64Array
    gram: Float64Array
    cross: Float64Array
    target_gram: Float64Array
    offset: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class GramScale:
    """How second moments become integers.

    Columns and weights are multiplied by powers of two that bring them to 1 at most, which rounds
    nothing; so all entries of the moments share one fixed point.

    Attributes
    ----------
    columns : ndarray of shape (n_columns,), int32
        Exponents of features, targets and 1.
    weight : int
        Exponent of the weights.
    entry : Scale
        Of the moments of a group of rows: a number.
    """

    columns: Int32Array
    weight: int
    entry: Scale

    @classmethod
    def within(
        cls,
        largest: Float64Array,
        largest_weight: float,
        n_rows: int,
        dtype: np.dtype[np.floating],
        precision: DTypeLike,
    ) -> Self:
        """The finest scale for columns, (n_columns,), and weights no larger than these.

        ``dtype`` is that of the rows, ``precision`` that of the result: float32 gets one limb.
        Raises DataError where moments may be infinite.
        """
        with np.errstate(over="ignore"):
            if not np.isfinite(n_rows * largest_weight * largest.max() ** 2):
                raise DataError(
                    f"Values up to {largest.max():.3g} are too large: their squares, weighted and "
                    "summed, are infinite. Scale the columns down."
                )
        # Rows times entries of a single row bound the sums; a group of them is added at once.
        ones = choose_scale(1.0, n_rows, precision)
        exponent = np.minimum(ones.exponents, MOST_BITS + 1 - GROUP_ROWS.bit_length())
        return cls(
            _to_one_at_most(largest, dtype),
            int(_to_one_at_most(np.array(largest_weight), np.dtype(np.float64))),
            Scale(exponent.astype(np.int32), ones.low_bits, ones.limbs),
        )

    def zero(self) -> Int64Array:
        """Sums of nothing, shape (n_limbs, n_columns, n_columns)."""
        n_columns = len(self.columns)
        return np.zeros((self.entry.limbs, n_columns, n_columns), dtype=np.int64)

    def to_float(self, sums: Int64Array) -> Float64Array:
        """The symmetric matrix of which `sums` holds the upper triangle."""
        exponents = self.entry.exponents + self.weight + np.add.outer(self.columns, self.columns)
        upper = np.triu(to_float(sums, Scale(exponents, self.entry.low_bits, self.entry.limbs)))
        whole: Float64Array = upper + np.triu(upper, 1).T
        return whole


@dataclass(frozen=True, slots=True, eq=False)
class Gram(Statistic[Int64Array, SecondMoments]):
    r"""Weighted second moments of features and targets.

    .. math:: \sum_i w_i z_i z_i^\top, \qquad z_i = (x_i - m, \; y_i - \mu, \; 1)

    Products are of the type of the data and summed in it over `GROUP_ROWS` rows that lie together
    on the grid of their cell, then in fixed point: so the result is the same for any blocks. Of
    float32 data it has the digits of float32 where `shift` is near the mean.

    One pass at the rate of matrix products; O((n_features + n_outputs)^2) memory a thread.

    Parameters
    ----------
    shift : ndarray of shape (n_features + n_outputs,), float64
        The point :math:`(m, \mu)` about which moments are taken.
    n_features : int
    scale : GramScale
    """

    shift: Float64Array
    n_features: int
    scale: GramScale

    @classmethod
    def within(
        cls,
        found: ColumnRange,
        targets: Bounds,
        shift: Float64Array,
        dtype: np.dtype[np.floating],
    ) -> "Gram":
        """The statistic for rows and targets of a known range, of float32 or float64 features."""
        n_features = len(found.minimum)
        # Of the type of the rows, so that subtracting it is one rounding in that type.
        near = shift.copy()
        near[:n_features] = shift[:n_features].astype(dtype)
        shift = near
        largest = np.concatenate(
            [
                found.largest_distance(shift[:n_features]),
                targets.largest_distance(shift[n_features:]),
                [1.0],
            ]
        )
        scale = GramScale.within(largest, found.largest_weight, found.n_rows, dtype, dtype)
        return cls(shift, n_features, scale)

    @property
    def window_rows(self) -> int:
        return GROUP_ROWS

    def zero(self) -> Int64Array:
        return self.scale.zero()

    def update(self, partial: Int64Array, block: Block) -> Int64Array:
        n_targets = len(self.shift) - self.n_features
        targets = targets_of(block) if n_targets else np.empty((block.n_rows, 0))
        add_gram(partial, block, targets, self.shift, self.scale, block.sample_weight)
        return partial

    def merge(self, partial: Int64Array, other: Int64Array) -> Int64Array:
        partial += other
        return partial

    def result(self, partial: Int64Array) -> SecondMoments:
        sums = self.scale.to_float(partial)
        weight = float(sums[-1, -1])
        delta = sums[:-1, -1] / weight
        about_mean = sums[:-1, :-1] / weight - np.outer(delta, delta)
        variance = np.maximum(np.diagonal(about_mean), 0.0)
        np.fill_diagonal(about_mean, variance)
        mean = self.shift + delta
        d = self.n_features
        offset = np.divide(
            np.abs(delta), np.sqrt(variance), out=np.zeros_like(delta), where=variance > 0
        )
        return SecondMoments(
            weight=weight,
            mean=mean[:d],
            target_mean=mean[d:],
            gram=about_mean[:d, :d],
            cross=about_mean[:d, d:],
            target_gram=about_mean[d:, d:],
            offset=offset,
        )


def add_gram(
    sums: Int64Array,
    block: Block,
    targets: Float64Array,
    shift: Float64Array,
    scale: GramScale,
    weights: Float64Array | None,
) -> None:
    """Add w z z^T of a block's rows to the upper triangle of `sums`, (limbs, columns, columns)."""
    X = block.X
    arguments = (targets, shift, scale.columns, sums)
    options = {
        "weights": weights,
        "ends": _group_ends(block),
        "weight_exponent": scale.weight,
        "entry_exponent": int(scale.entry.exponents),
        "low_bits": scale.entry.low_bits,
    }
    if isinstance(X, np.ndarray):
        _kernels.gram(X, *arguments, **options)
    else:
        _kernels.gram_csr(X.data, X.indices, X.indptr, X.shape[1], *arguments, **options)


def _to_one_at_most(bounds: Float64Array, dtype: np.dtype[np.floating]) -> Int32Array:
    """Exponents of powers of two of a type that bring values no larger than `bounds` to 1."""
    mantissa, exponent = np.frexp(bounds)
    least: Int32Array = np.minimum((mantissa == 0.5) - exponent, np.finfo(dtype).maxexp - 1)
    return least.astype(np.int32)


def _group_ends(block: Block) -> Int64Array | None:
    """Where groups end among rows of which some were dropped, None where none was."""
    if block.rows is None:
        return None
    groups = (block.rows - block.first_row) // GROUP_ROWS
    return np.append(np.flatnonzero(np.diff(groups)) + 1, block.n_rows)
