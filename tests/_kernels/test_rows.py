"""Copies of matrices of any strides, and of columns, to contiguous rows."""

import numpy as np
import pytest

LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "rows of a longer Fortran matrix": lambda X: np.asfortranarray(np.repeat(X, 2, axis=0))[
        len(X) :
    ],
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda X: X[::-1, ::-1],
}


SHAPES = [(0, 3), (1, 1), (63, 1), (64, 4), (65, 5), (300, 2), (131, 67), (5, 300)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_copied(kernels, layout, dtype, shape, rng):
    X = LAYOUTS[layout](rng.random(shape).astype(dtype))
    to = np.full(X.shape, -1, dtype=dtype)
    kernels.copy_rows(X, to)
    np.testing.assert_array_equal(to, X)


def test_another_shape_or_order_is_refused(kernels):
    X = np.zeros((4, 3))
    for to in (np.zeros((5, 3)), np.zeros((4, 2))):
        with pytest.raises(ValueError, match=r"expected 4|differ in columns"):
            kernels.copy_rows(X, to)
    with pytest.raises(TypeError):
        kernels.copy_rows(X, np.zeros((4, 3), order="F"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_columns_become_rows(kernels, dtype, shape, rng):
    columns = [rng.random(shape[0]).astype(dtype) for _ in range(shape[1])]
    to = np.full(shape, -1, dtype=dtype)
    kernels.copy_columns(columns, to)
    np.testing.assert_array_equal(to, np.stack(columns, axis=1))


def test_columns_of_another_length_number_or_type_are_refused(kernels):
    to = np.zeros((4, 2))
    for columns in ([np.zeros(4), np.zeros(5)], [np.zeros(4)], []):
        with pytest.raises(ValueError, match=r"expected 4|differ in columns"):
            kernels.copy_columns(columns, to)
    for column in (np.zeros(4, dtype=np.float32), np.zeros(8)[::2]):
        with pytest.raises(TypeError):
            kernels.copy_columns([np.zeros(4), column], to)
