"""Matrices whose rows are contiguous: kernels read them up to three times as fast as columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray

#: Columns of another type are converted for so many rows at a time: what waits to become rows stays
#: small, and the calls few.
_ROWS_AT_A_TIME = 8192


def row_major(X: AnyArray) -> AnyArray:
    """A copy of a matrix of any strides."""
    rows = np.empty(X.shape, dtype=X.dtype)
    _kernels.copy_rows(X, rows)
    return rows


def matrix_from(columns: Sequence[Any], dtype: np.dtype[Any]) -> AnyArray:
    """The matrix of some columns, each of shape (n_rows,) and of any type of number."""
    X = np.empty((len(columns[0]), len(columns)), dtype=dtype)
    for start in range(0, len(X), _ROWS_AT_A_TIME):
        here = slice(start, start + _ROWS_AT_A_TIME)
        some = [np.ascontiguousarray(values[here], dtype=dtype) for values in columns]
        _kernels.copy_columns(some, X[here])
    return X
