"""Which centre each row is nearest to, for dense and sparse rows alike."""

import numpy as np
from scipy import sparse

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int32Array, Matrix


def nearest_center(
    X: Matrix, centers: AnyArray, shift: Float64Array
) -> tuple[Int32Array, Float64Array]:
    r"""The nearest centre of each row and its squared distance.

    The label of row :math:`x` is :math:`\arg\min_j \sum_i (x_i - c_{ji})^2` in float64, ties to
    the lowest :math:`j`.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features) or csr_array
    centers : ndarray of shape (n_centers, n_features), of the type of `X`, C-contiguous
    shift : ndarray of shape (n_features,), float64
        About the middle of the data: only speed depends on it. Not used for sparse rows.

    Returns
    -------
    labels : ndarray of shape (n_rows,), int32
    distances : ndarray of shape (n_rows,), float64
    """
    labels = np.empty(X.shape[0], dtype=np.int32)
    distances = np.empty(X.shape[0])
    assign(X, centers, shift, labels, distances)
    return labels, distances


def assign(
    X: Matrix,
    centers: AnyArray,
    shift: Float64Array,
    labels: Int32Array,
    distances: Float64Array | None = None,
) -> None:
    """`nearest_center` into arrays of the caller, distances only if asked for."""
    if sparse.issparse(X):
        _kernels.assign_csr(X.data, X.indices, X.indptr, centers, labels, distances)
    else:
        _kernels.assign(X, centers, shift, labels, distances)
