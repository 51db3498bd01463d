"""Conformance of sources."""

import pickle
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import sparse

from shoal._typing import AnyArray, Rows
from shoal.data.source import Cell, Source

_N_THREADS = 4


def check_source(source: Source) -> None:
    """Check that a source keeps what `Source` promises.

    Reads the data a dozen times: give it a small source, of several cells.

    Parameters
    ----------
    source : Source

    Raises
    ------
    AssertionError
        A promise is not kept; the message says which.

    Examples
    --------
    >>> import numpy as np
    >>> from shoal.data.arrays import ArraySource
    >>> from shoal.testing import check_source
    >>> check_source(ArraySource(np.eye(3)))
    """
    _check_columns(source)
    assert source.fingerprint() == source.fingerprint(), "the fingerprint is not stable"
    _check_grid(source)
    expected = {cell: _read(source, cell, _all(source)) for cell in source.cells()}
    _check_values(source, expected)
    _check_pieces(source, expected)
    _check_columns_subsets(source, expected)
    _check_threads(source, expected)
    _check_pickle(source, expected)


def _all(source: Source) -> list[int]:
    return list(range(len(source.columns)))


def _check_columns(source: Source) -> None:
    names = [column.name for column in source.columns]
    assert all(isinstance(name, str) for name in names), "column names are text"
    assert len(set(names)) == len(names), "column names are unique"
    kinds = {column.dtype.kind for column in source.columns}
    assert kinds <= set("fiubO"), "columns are numbers or objects"


def _check_grid(source: Source) -> None:
    cells = source.cells()
    assert list(cells) == list(source.cells()), "the grid is always the same"
    ends = np.cumsum([cell.n_rows for cell in cells]).tolist()
    assert [cell.first_row for cell in cells] == [0, *ends][: len(cells)], (
        "cells follow each other without gaps"
    )
    assert [cell.index for cell in cells] == list(range(len(cells))), "cells know their position"
    assert all(cell.n_rows > 0 for cell in cells), "cells without rows are left out"


def _check_values(source: Source, expected: dict[Cell, list[AnyArray]]) -> None:
    """Types are those announced, or float64 where integers are missing; objects miss as None."""
    for cell, values in expected.items():
        for column, found in zip(source.columns, values, strict=True):
            assert found.shape == (cell.n_rows,), f"{column.name}: all rows of the cell"
            if column.dtype.kind == "O":
                assert found.dtype.kind == "O", f"{column.name}: objects"
                assert not any(value != value for value in found), (  # noqa: PLR0124 - NaN alone
                    f"{column.name}: missing objects are None"
                )
            else:
                missing = found.dtype == np.float64 and np.isnan(found).any()
                common = np.result_type(*(other.dtype for other in source.columns))
                assert found.dtype in (column.dtype, common) or missing, (
                    f"{column.name}: {found.dtype} was announced as {column.dtype}"
                )


def _check_pieces(source: Source, expected: dict[Cell, list[AnyArray]]) -> None:
    """The same rows for any `max_rows`, and cells read in any order."""
    for cell in reversed(list(expected)):
        for max_rows in {1 + cell.n_rows // 7, cell.n_rows + 1}:
            found = _read(source, cell, _all(source), max_rows)
            _assert_same(found, expected[cell], f"max_rows={max_rows}")


def _check_columns_subsets(source: Source, expected: dict[Cell, list[AnyArray]]) -> None:
    everything = _all(source)
    for columns in (everything[::-1], everything[::2], everything[-1:], everything[1:]):
        if columns:
            for cell, values in expected.items():
                wanted = [values[position] for position in columns]
                _assert_same(_read(source, cell, columns), wanted, f"columns={columns}")


def _check_threads(source: Source, expected: dict[Cell, list[AnyArray]]) -> None:
    cells = list(expected) * 2
    with ThreadPoolExecutor(_N_THREADS) as threads:
        found = threads.map(lambda cell: _read(source, cell, _all(source)), cells)
        for cell, values in zip(cells, found, strict=True):
            _assert_same(values, expected[cell], "several threads at once")


def _check_pickle(source: Source, expected: dict[Cell, list[AnyArray]]) -> None:
    other = pickle.loads(pickle.dumps(source))
    assert other.columns == source.columns, "pickling keeps the columns"
    assert list(other.cells()) == list(source.cells()), "pickling keeps the grid"
    assert other.fingerprint() == source.fingerprint(), "pickling keeps the fingerprint"
    for cell, values in expected.items():
        _assert_same(_read(other, cell, _all(source)), values, "pickled")


def _read(
    source: Source, cell: Cell, columns: Sequence[int], max_rows: int | None = None
) -> list[AnyArray]:
    """The columns of a cell, each of shape (n_rows,)."""
    max_rows = max_rows or cell.n_rows
    pieces = [_as_columns(rows) for rows in source.read(cell, columns, max_rows)]
    lengths = [len(values) for piece in pieces for values in piece]
    assert all(0 < length <= max_rows for length in lengths), "pieces have 1 to max_rows rows"
    assert {len(piece) for piece in pieces} == {len(columns)}, "pieces have the columns asked for"
    return [np.concatenate(values) for values in zip(*pieces, strict=True)]


def _as_columns(rows: Rows) -> list[AnyArray]:
    if isinstance(rows, list):
        return rows
    dense = rows.toarray() if sparse.issparse(rows) else rows
    assert isinstance(dense, np.ndarray), "rows are an array, a CSR array or a list of columns"
    return list(dense.T)


def _assert_same(found: list[AnyArray], expected: list[AnyArray], how: str) -> None:
    """Equal bit by bit, but for the type of integers, some of which may be missing elsewhere."""
    for one, other in zip(found, expected, strict=True):
        if one.dtype.kind == "O":
            same = one.tolist() == other.tolist()
        else:
            same = np.array_equal(one, other, equal_nan=True)
        assert same, f"other rows: {how}"
