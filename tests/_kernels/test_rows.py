"""Copies of matrices of any strides to contiguous rows."""

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


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape", [(0, 3), (1, 1), (63, 1), (64, 4), (65, 5), (300, 2), (131, 67), (5, 300)]
)
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
