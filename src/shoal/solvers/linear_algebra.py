"""Linear algebra whose operations have one order, whatever BLAS there is.

BLAS and LAPACK add up in an order of their own, which depends on processor and threads. Here sums
are NumPy's, elementwise, so that a fit ends with the same bits on any machine. Meant for what is
small beside the data: vectors of parameters, and matrices of some hundred rows.
"""

from dataclasses import dataclass

import numpy as np

from shoal._typing import Float64Array, Int64Array


def dot(x: Float64Array, y: Float64Array) -> float:
    """The inner product of two vectors."""
    return float((x * y).sum())


def norm(x: Float64Array) -> float:
    """The euclidean length of a vector."""
    return float(np.sqrt((x * x).sum()))


def product(A: Float64Array, B: Float64Array) -> Float64Array:
    """The matrix product of A (n, m) with B (m,) or (m, k)."""
    columns = np.ascontiguousarray(B.T if B.ndim == 2 else B[None])
    found = np.empty((len(A), len(columns)))
    for position, column in enumerate(columns):
        found[:, position] = (A * column).sum(axis=1)
    return found if B.ndim == 2 else found[:, 0]


def solve_semidefinite(A: Float64Array, B: Float64Array) -> Float64Array:
    r"""The least-squares solution of :math:`A X = B` of least norm, A positive semidefinite.

    By Cholesky factors with pivoting, of A scaled to a diagonal of ones. Columns that depend on
    others, to ``16 n`` roundings of that scale, make A singular. With the factor
    :math:`A = M M^T` of full column rank, the solution of least norm is
    :math:`M (M^T M)^{-1} (M^T M)^{-1} M^T B`.

    Parameters
    ----------
    A : ndarray of shape (n, n)
    B : ndarray of shape (n, k)

    Returns
    -------
    ndarray of shape (n, k)

    Notes
    -----
    O(n^3) elementwise operations: 1 ms for n = 64, some 0.5 s for n = 1000.

    References
    ----------
    N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., section 10.3.

    Examples
    --------
    >>> solve_semidefinite(np.array([[4.0, 0], [0, 0]]), np.array([[2.0], [0]]))
    array([[0.5],
           [0. ]])
    """
    scale = np.sqrt(np.where(A.diagonal() > 0, A.diagonal(), 1.0))
    factor = _pivoted_cholesky(A / (scale[:, None] * scale))
    if len(factor.pivots) == len(A):
        return _solved(factor, B / scale[:, None]) / scale[:, None]
    M = scale[:, None] * factor.lower
    squares = product(M.T, M)
    return product(M, solve_semidefinite(squares, solve_semidefinite(squares, product(M.T, B))))


@dataclass(frozen=True, slots=True)
class _Factor:
    """``A = lower @ lower.T``, (n, rank); rows in the order of `pivots` are lower triangular."""

    lower: Float64Array
    pivots: Int64Array


def _pivoted_cholesky(A: Float64Array) -> _Factor:
    """The Cholesky factor of A, whose diagonal is ones or zeros, up to its numerical rank."""
    n = len(A)
    least = 16 * n * np.finfo(np.float64).eps
    upper = np.zeros((n, n))
    left = A.diagonal().copy()
    is_left = np.ones(n, dtype=bool)
    pivots: list[int] = []
    for done, row in enumerate(upper):
        pivot = int(left.argmax())
        if not left[pivot] > least:
            break
        root = np.sqrt(left[pivot])
        is_left[pivot] = False
        found = (upper[:done] * upper[:done, pivot, None]).sum(axis=0)
        row[:] = np.where(is_left, (A[pivot] - found) / root, 0.0)
        row[pivot] = root
        pivots.append(pivot)
        left = (left - row * row) * is_left
    return _Factor(np.ascontiguousarray(upper[: len(pivots)].T), np.array(pivots, dtype=np.int64))


def _solved(factor: _Factor, B: Float64Array) -> Float64Array:
    """The solution X of ``A X = B`` for a factor of full rank, by substitution there and back."""
    lower = factor.lower[factor.pivots]
    X = B[factor.pivots].copy()
    for k in range(len(X)):
        X[k] /= lower[k, k]
        X[k + 1 :] -= lower[k + 1 :, k, None] * X[k]
    for k in reversed(range(len(X))):
        X[k] /= lower[k, k]
        X[:k] -= lower[k, :k, None] * X[k]
    solution = np.empty_like(X)
    solution[factor.pivots] = X
    return solution
