"""A Parquet file, written piece by piece, whole or not at all."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

import pyarrow as pa

from shoal import _archive
from shoal.exceptions import ParameterError

_OTHER_FORMATS = frozenset([".arrow", ".csv", ".feather", ".gz", ".ipc", ".json", ".npy", ".tsv"])


def write_parquet(path: str | PathLike[str], schema: pa.Schema, pieces: Iterable[pa.Table]) -> Path:
    """Write `pieces`, one after the other, as they come.

    The file is written beside `path` under another name and renamed once it is whole and on
    disk: no reader ever sees half of it, and an error leaves what was there before.

    Parameters
    ----------
    path : path
        A Parquet file; replaced if it exists.
    schema : pyarrow.Schema
    pieces : iterable of pyarrow.Table
        Each is a row group; those of over a million rows are several.

    Raises
    ------
    FileError, DiskFullError
        The file cannot be written.
    ParameterError
        Its name is that of another format.
    """
    import pyarrow.parquet as pq

    path = Path(path)
    if path.suffix.lower() in _OTHER_FORMATS:
        raise ParameterError(f"out={str(path)!r}: what is written is Parquet. Name it .parquet.")
    with _archive.replacing(path) as file, pq.ParquetWriter(file, schema) as writer:
        for piece in pieces:
            writer.write_table(piece)
    return path
