"""Sums of float64 without rounding, whatever their range."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic

#: Python integers in an array: sums in units of ``2 ** -UNIT``.
ExactArray: TypeAlias = NDArray[np.object_]

#: The smallest float64 is a multiple of this power of two, and so is 53 bits of any.
UNIT = 1126
#: Values whose exponents differ by less are added in one integer.
_BIN_BITS = 8
_N_BINS = (1024 - 53 + UNIT) // _BIN_BITS + 1
#: Of the 53 bits of a value, those of the lower integer: so 2**28 values cannot overflow one.
_LOW_BITS = 27


def exact_sums(
    values: Float64Array, groups: AnyArray | None = None, n_groups: int = 1
) -> ExactArray:
    """The sum of the values of each group, shape (n_groups,), without rounding.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
        Finite; at most 2**28.
    groups : ndarray of shape (n,), int64, default=None
        The group of each value; all of group 0 by default.
    n_groups : int, default=1

    Examples
    --------
    >>> rounded(exact_sums(np.array([1e300, 1.0, -1e300])))
    array([1.])
    """
    fractions, exponents = np.frexp(values)
    whole = (fractions * 2.0**53).astype(np.int64)
    place = exponents.astype(np.int64) + (UNIT - 53)
    position = place // _BIN_BITS
    if groups is not None:
        position += groups * _N_BINS
    shift = place % _BIN_BITS
    bins = np.zeros((2, n_groups * _N_BINS), dtype=np.int64)
    np.add.at(bins[0], position, (whole & ((1 << _LOW_BITS) - 1)) << shift)
    np.add.at(bins[1], position, (whole >> _LOW_BITS) << shift)
    sums = np.zeros(n_groups, dtype=object)
    for half, index in np.argwhere(bins).tolist():
        group, power = divmod(index, _N_BINS)
        sums[group] += int(bins[half, index]) << (power * _BIN_BITS + half * _LOW_BITS)
    return sums


def whole(sums: Int64Array) -> ExactArray:
    """Sums that are integers, in the units of `exact_sums`, shape (n,)."""
    units: ExactArray = np.array([int(total) << UNIT for total in sums.tolist()], dtype=object)
    return units


def rounded(sums: ExactArray) -> Float64Array:
    """The float64 nearest to each sum, shape (n,)."""
    return np.array([float(Fraction(total, 1 << UNIT)) for total in sums.tolist()])


@dataclass(frozen=True, slots=True, eq=False)
class ExactSum(Statistic[ExactArray, Float64Array]):
    """Sums over rows of some numbers a row, rounded once.

    One pass; memory of the numbers of a block. Meant for passes that are not repeated: it needs no
    range, but some 40 ns a number.

    Parameters
    ----------
    terms : callable
        ``terms(block)`` gives the numbers, of shape (n_terms, n_rows) and finite; picklable.
    n_terms : int
    """

    terms: Callable[[Block], Float64Array]
    n_terms: int

    def zero(self) -> ExactArray:
        return np.zeros(self.n_terms, dtype=object)

    def update(self, partial: ExactArray, block: Block) -> ExactArray:
        found = np.concatenate([exact_sums(values) for values in self.terms(block)])
        return self.merge(partial, found)

    def merge(self, partial: ExactArray, other: ExactArray) -> ExactArray:
        merged: ExactArray = partial + other
        return merged

    def result(self, partial: ExactArray) -> Float64Array:
        return rounded(partial)
