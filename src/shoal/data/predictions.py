"""Predictions of many rows, written to a Parquet file as they come."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike

from shoal import _archive
from shoal._typing import AnyArray
from shoal.data import arrow
from shoal.data.block import Block


def write_predictions(
    path: str | PathLike[str],
    name: str,
    dtype: DTypeLike,
    predictions: Iterable[tuple[Block, AnyArray]],
    n_rows: int,
) -> Path:
    """Write one column of predictions, a row a row of the dataset, null for dropped rows.

    The file is written beside `path` under another name and renamed once it is whole and on
    disk: no reader ever sees half of it, and an error leaves what was there before.

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
    path = Path(path)
    with _archive.replacing(path) as file:
        _write(file, pa.schema([(name, arrow.type_of(dtype))]), predictions, n_rows)
    return path


def _write(
    file: IO[bytes],
    schema: pa.Schema,
    predictions: Iterable[tuple[Block, AnyArray]],
    n_rows: int,
) -> None:
    import pyarrow.parquet as pq

    written = 0
    with pq.ParquetWriter(file, schema) as writer:
        for block, values in predictions:
            column = _with_nulls(block, values, int(block.row_numbers[0]) - written, schema[0].type)
            writer.write_table(pa.table([column], schema))
            written += len(column)
        if written < n_rows:
            writer.write_table(pa.table([pa.nulls(n_rows - written, schema[0].type)], schema))


def _with_nulls(block: Block, values: AnyArray, gap: int, dtype: pa.DataType) -> pa.Array:
    """`values` spread over the numbers of their rows, with `gap` nulls before them."""
    rows = block.row_numbers - block.row_numbers[0] + gap
    spread = np.zeros(int(rows[-1]) + 1, dtype=values.dtype)
    spread[rows] = values
    missing = np.ones(len(spread), dtype=bool)
    missing[rows] = False
    return pa.array(spread, dtype, mask=missing)
