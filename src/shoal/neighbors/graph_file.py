"""Neighbours of many queries, written to a Parquet file as they are found."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

import pyarrow as pa

from shoal.data.parquet_writer import write_parquet
from shoal.statistics.rows_within import Pairs

_SCHEMA = pa.schema(
    [
        pa.field("query", pa.int64(), nullable=False),
        pa.field("neighbor", pa.int64(), nullable=False),
        pa.field("distance", pa.float64(), nullable=False),
    ]
)


def write_graph(path: str | PathLike[str], pairs: Iterable[Pairs], return_distance: bool) -> Path:
    """Write a list of edges: columns ``query``, ``neighbor`` and, if wanted, ``distance``.

    A row a pair, rather than a list a query: joins, filters and groups of any table engine work
    on it as it is, graph libraries take it as it is, and queries may have different numbers of
    neighbours. The file appears whole or not at all, as of `write_parquet`.

    Parameters
    ----------
    path : path
        A Parquet file; replaced if it exists.
    pairs : iterable of Pairs
        In the order that the file is to have.
    return_distance : bool

    Raises
    ------
    FileError, DiskFullError
        The file cannot be written.
    """
    schema = _SCHEMA if return_distance else pa.schema([*_SCHEMA][:2])
    tables = (pa.table(_columns(some)[: len(schema)], schema) for some in pairs)
    return write_parquet(path, schema, tables)


def _columns(pairs: Pairs) -> list[pa.Array]:
    return [pa.array(column) for column in (pairs.queries, pairs.rows, pairs.distances)]
