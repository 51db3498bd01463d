"""Scales that turn reals into integers, and their sums back into reals.

Integer sums do not depend on the order of their terms, which is what makes a fit give the same
bits whatever the blocks, threads and workers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from shoal import _kernels
from shoal.data.block import Block
from shoal.exceptions import DataError

MOST_BITS = 50
SUM_BITS = 62
LEAST_EXPONENT, MOST_EXPONENT = -1022, 1023  # 2**exponent is a normal float64


@dataclass(frozen=True, eq=False)
class Scale:
    """How the values of each column become one or two int64 limbs.

    ``v`` becomes ``high = rint(v * 2**exponent)`` and, with two limbs,
    ``low = rint((v * 2**exponent - high) * 2**low_bits)``, both rounded half to even.

    Attributes
    ----------
    exponents : ndarray of int32, shape of the bounds
        At most 1023, so that a column whose values all lie below ``2**-973`` loses what lies
        below ``2**-1024`` (one limb) or ``2**-(1024 + low_bits)`` (two).
    low_bits : int
        Bits of the low limb, also set where there is none.
    limbs : int
        1 or 2.
    """

    exponents: NDArray[np.int32]
    low_bits: int
    limbs: int


def choose_scale(bounds: ArrayLike, n_rows: int, dtype: DTypeLike) -> Scale:
    """Choose the finest scale whose sums over ``n_rows`` values cannot overflow.

    With ``bits = min(50, 62 - ceil(log2(n_rows + 1)))`` every high limb is at most ``2**bits`` and
    every low limb at most ``2**(bits - 1)`` in magnitude, so sums stay below ``2**62``.

    Parameters
    ----------
    bounds : array-like of float64
        Largest magnitude of each column, after any shift and weight. Zero is allowed.
    n_rows : int
        Upper bound on the number of values added to one sum.
    dtype : dtype
        float32 data get one limb; float64 data two, which together resolve ``2**(-2 * bits)`` of
        the bound.

    Returns
    -------
    Scale

    Raises
    ------
    DataError
        A bound is infinite: values are too large for what is to be computed of them.
    ValueError
        A bound is negative or NaN, or ``n_rows`` is ``2**61`` or more.

    Examples
    --------
    >>> scale = choose_scale([1.0, 1000.0], n_rows=10**6, dtype=np.float32)
    >>> scale.exponents
    array([41, 32], dtype=int32)
    >>> scale.low_bits, scale.limbs
    (42, 1)
    """
    magnitudes = np.asarray(bounds, dtype=np.float64)
    if np.isposinf(magnitudes).any():
        raise DataError(
            "Values or weights are so large that their squares or products overflow float64. Bring "
            "the columns to a common scale, by StandardScaler say, or leave such rows out."
        )
    if not np.all(magnitudes >= 0):
        raise ValueError(f"bounds must be numbers and not negative, got {magnitudes}")
    bits = min(MOST_BITS, SUM_BITS - n_rows.bit_length())
    if bits < 1:
        raise ValueError(f"n_rows must be below 2**{SUM_BITS - 1}, got {n_rows}")
    exponents = np.clip(bits - np.frexp(magnitudes)[1], LEAST_EXPONENT, MOST_EXPONENT)
    limbs = 1 if np.dtype(dtype) == np.float32 else 2
    return Scale(exponents.astype(np.int32), bits, limbs)


def to_float(sums: NDArray[np.int64], scale: Scale) -> NDArray[np.float64]:
    """Turn sums of limbs into the float64 nearest to their exact value, ties to even.

    Parameters
    ----------
    sums : ndarray of int64, shape (limbs, ..., *scale.exponents.shape)
    scale : Scale
        The scale of the values that were added.

    Returns
    -------
    ndarray of float64, shape sums.shape[1:]
        Rounded once, except below ``2**-1022``, where the result is subnormal and rounded twice.

    Examples
    --------
    >>> scale = choose_scale(8.0, n_rows=10, dtype=np.float64)
    >>> high = np.int64(3) << np.int64(scale.exponents)
    >>> to_float(np.array([high, 0]), scale)
    np.float64(3.0)
    """
    if scale.limbs == 1:
        whole, shift = sums[0], np.zeros((), np.int64)
    else:
        whole, shift = _normalised(sums[0], sums[1], scale.low_bits)
    values: NDArray[np.float64] = np.ldexp(whole.astype(np.float64), -(scale.exponents + shift))
    return values


def _normalised(
    high: NDArray[np.int64], low: NDArray[np.int64], low_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Integers w and shifts s: high + low * 2**-low_bits is w * 2**-s, or rounds like it.

    As much of the low limb as fits is moved up beside the high one; whether anything non-zero is
    left below it shows in the lowest bit (round to odd), so rounding w again is correct.
    """
    high = high + (low >> low_bits)
    low = low & ((1 << low_bits) - 1)
    shift = np.clip(SUM_BITS - np.frexp(high.astype(np.float64))[1], 0, low_bits)
    left = low_bits - shift
    rest = low & ((np.int64(1) << left) - 1)
    return (high << shift) | (low >> left) | (rest != 0), shift


def add_weights(sums: NDArray[np.int64], block: Block, scale: Scale) -> None:
    """Add the weights of a block's rows, 1 each where there are none, to `sums`, (limbs,)."""
    exponent = int(scale.exponents)
    if block.sample_weight is None:
        # A 1 is a whole number of units: this many of them are what adding ones would give.
        sums[0] += block.n_rows << exponent
    else:
        _kernels.sum_values(block.sample_weight, exponent, scale.low_bits, sums)
