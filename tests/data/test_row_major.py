"""Matrices row by row: the values of the columns, whatever their types and strides."""

import numpy as np
import pytest

from shoal.data import row_major as module
from shoal.data.row_major import matrix_from, row_major

rng = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [1, 99, 100, 101, 1000])
def test_a_matrix_of_columns(monkeypatch, dtype, n_rows):
    monkeypatch.setattr(module, "_ROWS_AT_A_TIME", 100)
    columns = [
        rng.random(n_rows).astype(np.float32),
        rng.integers(-9, 9, n_rows),
        rng.random(2 * n_rows)[::2],
        rng.random(n_rows) < 0.5,
        rng.random(n_rows),
    ]
    X = matrix_from(columns, np.dtype(dtype))
    assert X.flags.c_contiguous
    assert X.dtype == dtype
    np.testing.assert_array_equal(X, np.stack([c.astype(dtype) for c in columns], axis=1))


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_copy_of_its_own(order):
    X = np.asarray(rng.random((50, 7)), order=order)[3:40, ::2]
    copy = row_major(X)
    assert copy.flags.c_contiguous
    assert copy.base is None
    np.testing.assert_array_equal(copy, X)
