"""Rows of Arrow IPC (Feather) files."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa

from shoal._typing import Rows
from shoal.data import arrow
from shoal.data.files import AnyPath, File, common_columns, find_files, fingerprint, lay_cells
from shoal.data.source import Cell, Column, Source
from shoal.exceptions import FileError

#: What else Arrow has written, by how it begins.
_OTHER_FORMATS = {b"\xff\xff\xff\xff": "an Arrow stream", b"FEA1": "Feather version 1"}


class IPCSource(Source):
    """Rows of Arrow IPC files (Feather version 2); a cell is a record batch.

    A thread that reads holds the wanted columns of one record batch.

    Parameters
    ----------
    paths : path, glob, folder or URL, or a list of these
        Files come in natural order of their names within a glob or folder, and all have the same
        columns.

    Raises
    ------
    FileError, CorruptFileError
        A file is not there, or is not an IPC file (a stream is none).
    SchemaError
        The files' columns differ.
    """

    def __init__(self, paths: AnyPath | Iterable[AnyPath]) -> None:
        self._files = find_files(paths, (".arrow", ".feather", ".ipc"))
        self._columns = common_columns(self._files, _file_columns)

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._columns

    def cells(self) -> Sequence[Cell]:
        return self._cells

    @cached_property
    def _cells(self) -> tuple[Cell, ...]:
        return lay_cells(self._files, _batch_lengths)

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        number, batch = cell.address
        names = [self._columns[position].name for position in columns]
        with self._files[number].opened(f", record batch {batch}") as handle:
            yield from read_batch(handle, batch, names, max_rows)

    def fingerprint(self) -> str:
        return fingerprint(self._files)


def read_batch(handle: Any, number: int, names: Sequence[str], max_rows: int) -> Iterator[Rows]:
    """The named columns of a record batch, in pieces of at most `max_rows` rows."""
    schema = pa.ipc.open_file(handle).schema
    batch = _reader(handle, [schema.get_field_index(name) for name in names]).get_batch(number)
    for start in range(0, batch.num_rows, max_rows):
        rows = batch.slice(start, max_rows)
        yield [arrow.to_numpy(rows.column(name)) for name in names]


def _reader(handle: Any, fields: Iterable[int]) -> Any:
    """A reader of these fields alone: others are not even read from the disk."""
    options = pa.ipc.IpcReadOptions(included_fields=sorted(set(fields)), use_threads=False)
    return pa.ipc.open_file(handle, options=options)


def _file_columns(file: File) -> tuple[Column, ...]:
    with file.opened(", its footer") as handle:
        if other := _OTHER_FORMATS.get(handle.read(4)):
            raise FileError(
                f"{file.name} is {other}, where no record batch can be found without reading all "
                "before it. Write an IPC file, by pyarrow.feather.write_feather say."
            )
        return tuple(arrow.column(field) for field in pa.ipc.open_file(handle).schema)


def _batch_lengths(file: File) -> list[int]:
    """Number of rows of each record batch."""
    with file.opened(", its record batches") as handle:
        # The rows are counted in the footer of no version of the format: one field tells.
        reader = _reader(handle, range(len(pa.ipc.open_file(handle).schema))[:1])
        return [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]
