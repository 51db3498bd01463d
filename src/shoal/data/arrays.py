"""Rows of NumPy arrays, SciPy sparse matrices and whatever converts to them."""

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from typing import Any

import numpy as np
import xxhash
from numpy.lib.stride_tricks import as_strided
from scipy import sparse
from sklearn.utils import check_array

from shoal import _kernels
from shoal._typing import AnyArray, Matrix, Rows
from shoal.data.source import Cell, Column, Source
from shoal.exceptions import DataError, SchemaError

#: Rows of a cell of data in memory: small enough to share among threads, large enough that what
#: Python does for each is nothing beside its arithmetic.
CELL_ROWS = 65_536

_HASHED_ROWS = 4096


class ArraySource(Source):
    """Rows of a matrix in memory, never copied.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_rows, n_columns)
        A NumPy array of any strides (memory-mapped ones too) and any real type, a SciPy CSR
        array or matrix, or what scikit-learn would convert to one of these: nested lists, other
        sparse formats. Masked entries become NaN.
    names : sequence of str, default=None
        Names of the columns; ``x0``, ``x1``, ... by default.

    Raises
    ------
    DataError
        With scikit-learn's words: not 2-D, no row, no column, complex, text.
    """

    in_memory = True
    in_process = True

    def __init__(self, X: Any, names: Sequence[str] | None = None) -> None:
        self._X = as_matrix(X)
        if names is None:
            names = [f"x{position}" for position in range(self._X.shape[1])]
        dtype = self._X.dtype
        self._columns = tuple(Column(name, dtype) for name in names)
        self.is_sparse = not isinstance(self._X, np.ndarray)
        if self.is_sparse:
            self.density = self._X.nnz / max(self._X.shape[0] * self._X.shape[1], 1)

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._columns

    def cells(self) -> Sequence[Cell]:
        return grid(self._X.shape[0], "array" if isinstance(self._X, np.ndarray) else "matrix")

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        for start, stop in pieces(cell, max_rows):
            if self.is_sparse and not columns:
                # Rows of their own would have to be counted out.
                yield sparse.csr_array((stop - start, 0), dtype=self._X.dtype)
                continue
            yield take_columns(_rows(self._X, start, stop), columns)

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        """A hash of shape, type and values; the same for any strides."""
        digest = xxhash.xxh3_128(f"{self._X.shape} {self._X.dtype}".encode())
        for start in range(0, self._X.shape[0], _HASHED_ROWS):
            rows = _rows(self._X, start, start + _HASHED_ROWS)
            dense = isinstance(rows, np.ndarray)
            for part in (rows,) if dense else (rows.data, rows.indices, rows.indptr):
                digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()


def grid(n_rows: int, file: str) -> tuple[Cell, ...]:
    """The cells of `n_rows` rows that have no grid of their own."""
    return tuple(
        Cell(index, index * CELL_ROWS, length, file, index * CELL_ROWS)
        for index, length in enumerate(cell_lengths(n_rows))
    )


def cell_lengths(n_rows: int) -> Iterator[int]:
    """Number of rows of each cell of `n_rows` rows that have no grid of their own."""
    return (min(CELL_ROWS, n_rows - first) for first in range(0, n_rows, CELL_ROWS))


def pieces(cell: Cell, max_rows: int) -> Iterator[tuple[int, int]]:
    """First and last-but-one row numbers that cut a cell into at most `max_rows` rows each."""
    end = cell.first_row + cell.n_rows
    for start in range(cell.first_row, end, max_rows):
        yield start, min(start + max_rows, end)


def matrix_of(columns: Sequence[Any]) -> AnyArray | None:
    """The matrix that 1-D arrays are the columns of, as a view; None if they are of no one matrix.

    The columns of a data frame often lie side by side in one matrix, and Python has lost sight
    of it.
    """
    if not columns or not all(isinstance(column, np.ndarray) for column in columns):
        return None
    first = columns[0]
    places = [column.__array_interface__["data"][0] for column in columns]
    steps = set(np.diff(places))
    alike = all(
        column.dtype == first.dtype
        and column.strides == first.strides
        # Two arrays always stand at some distance: only within one allocation it means anything.
        and _owner(column) is _owner(first)
        for column in columns
    )
    if not alike or len(steps) > 1:
        return None
    strides = (first.strides[0], int(steps.pop()) if steps else first.itemsize)
    return as_strided(first, (len(first), len(columns)), strides, writeable=False)


def _owner(array: AnyArray) -> Any:
    """What holds the memory of an array."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return owner


def as_matrix(X: Any) -> Matrix:
    """`X` as a checked 2-D array or CSR array, without a copy where it is one already."""
    if isinstance(X, np.ma.MaskedArray):
        floating = X if X.dtype.kind == "f" else X.astype(np.float64)
        X = np.where(np.ma.getmaskarray(X), np.nan, floating.data)
    if X is None or (isinstance(X, Mapping | Set | Iterator) and not sparse.issparse(X)):
        raise DataError(
            f"Expected 2D array, got {type(X).__name__} instead: give an array, a sparse matrix, a "
            "data frame, a Dask collection, a path or a list of paths."
        )
    try:
        matrix = check_array(X, accept_sparse="csr", ensure_all_finite=False)
    except TypeError as error:
        raise SchemaError(str(error)) from error
    except ValueError as error:
        raise DataError(str(error)) from error
    return _canonical_csr(matrix) if sparse.issparse(matrix) else matrix


def _canonical_csr(matrix: Any) -> sparse.csr_array:
    """The matrix with indices in range, sorted and unique, as the kernels rely on."""
    try:
        csr = sparse.csr_array((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
        if _kernels.has_canonical_rows(csr.indices, csr.indptr, csr.shape[1]):
            return csr
        csr.check_format(full_check=True)
    except ValueError as error:
        raise DataError(f"The sparse matrix is malformed: {error}.") from error
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    return csr


def _rows(X: Matrix, start: int, stop: int) -> Matrix:
    """Rows start to stop, as views."""
    if isinstance(X, np.ndarray):
        return X[start:stop]
    stop = min(stop, X.shape[0])
    first, last = X.indptr[start], X.indptr[stop]
    rows = sparse.csr_array((stop - start, X.shape[1]), dtype=X.dtype)
    # Given to the constructor, they would be copied.
    rows.data, rows.indices = X.data[first:last], X.indices[first:last]
    rows.indptr = X.indptr[start : stop + 1] - first
    return rows


def take_columns(X: Matrix, columns: Sequence[int]) -> Matrix:
    """The columns at these positions, as a view where they are neighbours."""
    columns = list(columns)
    if columns == list(range(X.shape[1])):
        return X
    first = columns[0] if columns else 0
    if isinstance(X, np.ndarray) and columns == list(range(first, first + len(columns))):
        return X[:, first : first + len(columns)]
    if not columns and sparse.issparse(X):
        return sparse.csr_array((X.shape[0], 0), dtype=X.dtype)
    if len(columns) == 1 and sparse.issparse(X):
        return _column(X, columns[0])
    return X[:, columns]


def _column(X: sparse.csr_array, column: int) -> sparse.csr_array:
    """One column, shape (n_rows, 1), many times as fast as by an index."""
    places = np.flatnonzero(X.indices == column)
    # Few values are searched for among many rows, not the other way round.
    rows = np.searchsorted(X.indptr, places, side="right")
    ends = np.cumsum(np.bincount(rows, minlength=len(X.indptr)), dtype=X.indptr.dtype)
    of_column = (X.data[places], np.zeros(len(places), dtype=X.indices.dtype), ends)
    return sparse.csr_array(of_column, shape=(X.shape[0], 1))
