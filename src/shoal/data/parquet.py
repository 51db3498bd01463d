"""Rows of Parquet files."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from shoal._typing import AnyArray, Rows
from shoal.data import arrow
from shoal.data.files import AnyPath, File, common_columns, find_files, fingerprint, lay_cells
from shoal.data.source import Cell, Column, Source
from shoal.exceptions import SchemaError

#: Bytes of a column read from the file at a time: what a reading thread holds a column. They stay
#: in the processor's second-level cache until they are decoded; the system reads ahead by itself.
_BUFFER_BYTES = 1 << 16

#: Size of a page of a column, and of a dictionary, that writers aim at.
_PAGE_BYTES = 1 << 20


class ParquetSource(Source):
    """Rows of Parquet files; a cell is a row group.

    Opening reads the footers, never rows. Reading streams: a thread holds one piece of
    `max_rows` rows and a page and a small buffer of each column.

    Parameters
    ----------
    paths : path, glob, folder or URL, or a list of these
        Files come in natural order of their names within a glob or folder, and all have the same
        columns. ``key=value`` folders become columns: integers where all values are, else text.

    Raises
    ------
    FileError, CorruptFileError
        A file is not there, or has no readable footer.
    SchemaError
        The files' columns differ.
    """

    def __init__(self, paths: AnyPath | Iterable[AnyPath]) -> None:
        self._files = find_files(paths, (".parquet", ".pq"))
        self._columns = common_columns(self._files, _file_columns)
        self._hive = _hive_columns(self._files)

    @property
    def columns(self) -> tuple[Column, ...]:
        hive = (Column(name, values.dtype) for name, values in self._hive.items())
        return (*self._columns, *hive)

    def cells(self) -> Sequence[Cell]:
        return self._cells

    @cached_property
    def _cells(self) -> tuple[Cell, ...]:
        return lay_cells(self._files, _row_groups)

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        number, group = cell.address
        stored = len(self._columns)
        names = [self._columns[position].name for position in columns if position < stored]
        hive = list(self._hive.values())

        def rows(batch: Any) -> Rows:
            values = {name: arrow.to_numpy(batch.column(name)) for name in batch.schema.names}
            return [
                values[self._columns[position].name]
                if position < stored
                else np.broadcast_to(hive[position - stored][number : number + 1], batch.num_rows)
                for position in columns
            ]

        file = self._files[number]
        with file.opened(f", row group {group}") as handle:
            reader = _reader(handle, _metadata(file))
            batches = reader.iter_batches(
                max_rows, row_groups=[group], columns=list(dict.fromkeys(names)), use_threads=False
            )
            # Not a loop, whose variable would hold one batch while the next is decoded.
            yield from map(rows, batches)

    def reader_bytes(self, columns: Sequence[int]) -> int:
        metadata = _metadata(self._files[0])
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        return sum(
            max((_held_bytes(group.column(position)) for group in groups), default=0)
            for position in set(columns)
            if position < len(self._columns)
        )

    def fingerprint(self) -> str:
        return fingerprint(self._files)


def _reader(handle: Any, metadata: Any = None) -> Any:
    import pyarrow.parquet as pq  # not at the top: it is slow to import

    return pq.ParquetFile(
        handle,
        metadata=metadata,
        pre_buffer=False,
        buffer_size=_BUFFER_BYTES,
        page_checksum_verification=True,
    )


@lru_cache(maxsize=64)
def _metadata(file: File) -> Any:
    """The footer."""
    with file.opened(", its footer") as handle:
        return _reader(handle).metadata


def _held_bytes(column: Any) -> int:
    """What Arrow holds of a column while it reads one row group."""
    # A dictionary and a page, this compressed and not; its allocator rounds up to one more.
    stored, decoded = column.total_compressed_size, column.total_uncompressed_size
    return int(min(_BUFFER_BYTES, stored) + min(4 * _PAGE_BYTES, 2 * decoded))


def _row_groups(file: File) -> list[int]:
    """Number of rows of each row group."""
    metadata = _metadata(file)
    return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


def _file_columns(file: File) -> tuple[Column, ...]:
    """The columns of one file."""
    return tuple(arrow.column(field) for field in _metadata(file).schema.to_arrow_schema())


def _hive_columns(files: Sequence[File]) -> dict[str, AnyArray]:
    """Values of the ``key=value`` folders, one a file, by key."""
    by_file = [file.hive_values for file in files]
    for file, values in zip(files, by_file, strict=True):
        if values.keys() != by_file[0].keys():
            raise SchemaError(
                f"The key=value folders of {file.name} differ from those of {files[0].name}."
            )
    return {key: _hive_column([values[key] for values in by_file]) for key in by_file[0]}


def _hive_column(texts: list[str | None]) -> AnyArray:
    """Integers where all are, with NaN where one is missing; else text."""
    # int() would take 1_000, too, and digits of all scripts.
    if not all(text is None or re.fullmatch(r"[+-]?[0-9]+", text) for text in texts):
        return np.array(texts, dtype=object)
    return np.array([np.nan if text is None else int(text) for text in texts])
