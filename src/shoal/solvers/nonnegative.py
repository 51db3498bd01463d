"""Least squares with coefficients that are not negative."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shoal._typing import Float64Array
from shoal.solvers.linear_algebra import product, solve_semidefinite

Mask: TypeAlias = NDArray[np.bool_]


def solve_nonnegative(A: Float64Array, c: Float64Array) -> Float64Array:
    r"""Minimise :math:`w^T A w / 2 - c^T w` over :math:`w \ge 0`, exactly.

    The active-set method: the coefficient whose slope points up most is let free, and all free
    ones are solved for; on the way there those that would become negative are held at 0.

    Parameters
    ----------
    A : ndarray of shape (n, n)
        Positive semidefinite.
    c : ndarray of shape (n,)
        In the range of A.

    Returns
    -------
    ndarray of shape (n,)

    References
    ----------
    C. L. Lawson and R. J. Hanson, "Solving Least Squares Problems" (1974), chapter 23.

    Examples
    --------
    >>> solve_nonnegative(np.eye(2), np.array([3.0, -1.0]))
    array([3., 0.])
    """
    scale = np.sqrt(np.where(A.diagonal() > 0, A.diagonal(), 1.0))
    coef, free = np.zeros(len(c)), np.zeros(len(c), dtype=bool)
    least = 16 * len(c) * np.finfo(np.float64).eps * np.abs(c / scale).max(initial=0.0)
    # Each round lowers the objective, so no set of free ones comes twice, but for rounding.
    for _ in range(10 * len(c)):
        slopes = np.where(free, -np.inf, (c - product(A, coef)) / scale)
        steepest = int(slopes.argmax())
        if slopes[steepest] <= least:
            break
        free[steepest] = True
        coef, free = _released(A, c, coef, free)
    return coef


def _released(
    A: Float64Array, c: Float64Array, coef: Float64Array, free: Mask
) -> tuple[Float64Array, Mask]:
    """The minimum over the free coefficients, less those that have to be held at 0 on the way."""
    while True:
        target = np.zeros(len(c))
        target[free] = solve_semidefinite(A[np.ix_(free, free)], c[free, None])[:, 0]
        falling = free & (target <= 0)
        if not falling.any():
            return target, free
        reach = np.full(len(c), np.inf)
        reach[falling] = coef[falling] / (coef[falling] - target[falling])
        first = int(reach.argmin())
        coef = np.where(free, coef + reach[first] * (target - coef), 0.0)
        coef[first] = 0.0
        free = free & (coef > 0)
