"""Predictions of many rows, written to a Parquet file as they come."""

import os
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import pyarrow as pa

from shoal._typing import AnyArray
from shoal.data.block import Block
from shoal.exceptions import FileError


def write_predictions(
    path: str | PathLike[str],
    name: str,
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
    try:
        with NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
        ) as file:
            temporary = Path(file.name)
            try:
                _write(file, name, predictions, n_rows)
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
    except FileNotFoundError as error:
        raise FileError(f"Cannot write {path}: there is no folder {path.parent}.") from error
    return path


def _write(
    file: object, name: str, predictions: Iterable[tuple[Block, AnyArray]], n_rows: int
) -> None:
    import pyarrow.parquet as pq

    writer = None
    written = 0
    for block, values in predictions:
        gap = int(block.row_numbers[0]) - written
        column = _with_nulls(block, values, gap)
        table = pa.table({name: column})
        if writer is None:
            writer = pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
        written += len(column)
    if writer is not None:
        if written < n_rows:
            writer.write_table(pa.table({name: pa.nulls(n_rows - written, column.type)}))
        writer.close()


def _with_nulls(block: Block, values: AnyArray, gap: int) -> pa.Array:
    """`values` spread over the numbers of their rows, with `gap` nulls before them."""
    rows = block.row_numbers - block.row_numbers[0] + gap
    spread = np.zeros(int(rows[-1]) + 1, dtype=values.dtype)
    spread[rows] = values
    missing = np.ones(len(spread), dtype=bool)
    missing[rows] = False
    return pa.array(spread, mask=missing)
