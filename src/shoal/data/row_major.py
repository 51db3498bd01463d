"""Matrices whose rows are contiguous: kernels read them up to three times as fast as columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray

#: Columns are put side by side for so many rows at a time: what waits to become rows stays small,
#: and the copies long.
_ROWS_AT_A_TIME = 4096


def row_major(X: AnyArray) -> AnyArray:
    """A copy of a matrix of any strides."""
    rows = np.empty(X.shape, dtype=X.dtype)
    _kernels.copy_rows(X, rows)
    return rows


def matrix_from(columns: Sequence[Any], dtype: np.dtype[Any]) -> AnyArray:
    """The matrix of some columns, each of shape (n_rows,) and of any type of number."""
    n_rows = len(columns[0])
    X = np.empty((n_rows, len(columns)), dtype=dtype)
    some = np.empty((min(n_rows, _ROWS_AT_A_TIME), len(columns)), dtype=dtype, order="F")
    for start in range(0, n_rows, _ROWS_AT_A_TIME):
        rows = X[start : start + _ROWS_AT_A_TIME]
        for position, values in enumerate(columns):
            some[: len(rows), position] = values[start : start + len(rows)]
        _kernels.copy_rows(some[: len(rows)], rows)
    return X
