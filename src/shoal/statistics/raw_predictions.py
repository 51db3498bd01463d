"""What a linear model computes of a block."""

import numpy as np

from shoal import _kernels
from shoal._typing import Float64Array
from shoal.data.block import Block


def raw_predictions(block: Block, coef: Float64Array, intercept: Float64Array) -> Float64Array:
    """``X @ coef.T + intercept`` of a block's rows, shape (n_rows, n_outputs), float64.

    Parameters
    ----------
    block : Block
    coef : ndarray of shape (n_outputs, n_features), float64
    intercept : ndarray of shape (n_outputs,), float64

    Examples
    --------
    >>> block = Block(np.array([[1.0, 2.0]]), 0, np.ones(2), np.ones(2))
    >>> raw_predictions(block, np.array([[10.0, 1.0]]), np.array([0.5]))
    array([[12.5]])
    """
    X, raw = block.X, np.empty((block.n_rows, len(coef)))
    if isinstance(X, np.ndarray):
        _kernels.linear_predict(X, coef, intercept, raw)
    else:
        _kernels.linear_predict_csr(X.data, X.indices, X.indptr, coef, intercept, raw)
    return raw
