"""Predictions of many rows, written to a Parquet file as they come."""

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike

from shoal._typing import AnyArray
from shoal.data import arrow
from shoal.data.block import Block
from shoal.data.parquet_writer import write_parquet


def write_predictions(
    path: str | PathLike[str],
    name: str,
    dtype: DTypeLike,
    predictions: Iterable[tuple[Block, AnyArray]],
    n_rows: int,
) -> Path:
    """Write one column of predictions, a row a row of the dataset, null for dropped rows.

    The file appears whole or not at all, as of `write_parquet`.

    Parameters
    ----------
    path : path
        A Parquet file; replaced if it exists.
    name : str
        Name of the column.
    dtype : dtype
        Type of the predictions: of numbers or booleans, or of text.
    predictions : iterable of (Block, ndarray of shape (block.n_rows,))
        In row order.
    n_rows : int
        Rows of the dataset, dropped ones included.

    Raises
    ------
    FileError, DiskFullError
        The file cannot be written.
    """
    schema = pa.schema([(name, arrow.type_of(dtype))])
    columns = _columns(schema[0].type, predictions, n_rows)
    return write_parquet(path, schema, (pa.table([column], schema) for column in columns))


def _columns(
    dtype: pa.DataType, predictions: Iterable[tuple[Block, AnyArray]], n_rows: int
) -> Iterator[pa.Array]:
    """The column in pieces."""
    n_written = 0
    for block, values in predictions:
        column = _with_nulls(block, values, int(block.row_numbers[0]) - n_written, dtype)
        yield column
        n_written += len(column)
    if n_written < n_rows:
        yield pa.nulls(n_rows - n_written, dtype)


def _with_nulls(block: Block, values: AnyArray, gap: int, dtype: pa.DataType) -> pa.Array:
    """`values` spread over the numbers of their rows, with `gap` nulls before them."""
    if values.dtype == object:
        # Labels that are objects need not be text.
        values = values.astype(str)
    rows = block.row_numbers - block.row_numbers[0] + gap
    spread = np.zeros(int(rows[-1]) + 1, dtype=values.dtype)
    spread[rows] = values
    missing = np.ones(len(spread), dtype=bool)
    missing[rows] = False
    return pa.array(spread, dtype, mask=missing)
