"""Rows of CSV files."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa

from shoal._typing import Rows
from shoal.data import arrow
from shoal.data.arrays import CELL_ROWS, cell_lengths
from shoal.data.files import AnyPath, File, common_columns, find_files, fingerprint, lay_cells
from shoal.data.ipc import read_batch
from shoal.data.private_file import PrivateFolder, cache_directory, make_private_folder
from shoal.data.source import Cell, Column, Source
from shoal.exceptions import ColumnError, DataError, DiskFullError, FileError, ParameterError

#: Types are inferred from this much of a file.
_SAMPLE_BYTES = 1 << 20


class CSVSource(Source):
    """Rows of CSV files; gzip where the name ends in ``.gz``, tabs where it has ``.tsv``.

    Text is parsed once: on first use of a file its rows are written, decoded, to a private Arrow
    file where the block cache lives, and read from there. It is gone with the source; a source
    sent to another process parses again there.

    Parameters
    ----------
    paths : path, glob, folder or URL, or a list of these
        Files come in natural order of their names within a glob or folder, and all have the same
        columns.
    schema : dict of str to dtype, default=None
        Types of columns by name: NumPy or Arrow types, ``str`` for text. Others are inferred from
        the first megabyte.
    delimiter : str, default=None
        By default a tab for ``.tsv`` files, else a comma.
    has_header : bool, default=True
        Whether the first line names the columns; else they are ``f0``, ``f1``, ...

    Raises
    ------
    FileError, CorruptFileError
        A file is not there or cannot be read.
    DataError
        A value does not parse as its column's type, or a line has too many or too few values.
    SchemaError, ColumnError
        The files' columns differ; `schema` names a column that is not there.
    ParameterError
        `schema` or `delimiter` is none.
    """

    def __init__(
        self,
        paths: AnyPath | Iterable[AnyPath],
        schema: dict[str, Any] | None = None,
        *,
        delimiter: str | None = None,
        has_header: bool = True,
    ) -> None:
        self._files = find_files(paths, (".csv", ".csv.gz", ".tsv", ".tsv.gz"))
        self._schema = _arrow_types(schema or {})
        self._delimiter = _checked_delimiter(delimiter)
        self._has_header = has_header
        self._types = self._column_types(self._files[0])
        self._columns = common_columns(self._files, self._file_columns)
        self._spool = _Spool()

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._columns

    def cells(self) -> Sequence[Cell]:
        return self._cells

    @cached_property
    def _cells(self) -> tuple[Cell, ...]:
        return lay_cells(self._files, lambda file: cell_lengths(self._decoded(file)[1]))

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        number, run = cell.address
        file = self._files[number]
        file.check_unchanged()
        names = [self._columns[position].name for position in columns]
        with self._decoded(file)[0].opened() as handle:
            yield from read_batch(handle, run, names, max_rows)

    def fingerprint(self) -> str:
        parsing = (self._types, self._delimiter, self._has_header)
        return f"{fingerprint(self._files)} {parsing}"

    def _column_types(self, file: File) -> dict[str, pa.DataType]:
        """Types of all columns: as declared, else as the first megabyte of `file` has them."""
        with self._batches(file, {}) as reader:
            # A sample without any value says nothing: numbers are the better guess.
            inferred = {
                field.name: pa.float64() if pa.types.is_null(field.type) else field.type
                for field in reader.schema
            }
        unknown = [name for name in self._schema if name not in inferred]
        if unknown:
            raise ColumnError(f"schema: no column {unknown[0]!r} in {file.name}: {[*inferred]}.")
        return {**inferred, **self._schema}

    def _file_columns(self, file: File) -> tuple[Column, ...]:
        """Columns of a file: the header's names with the types of the first file."""
        with self._batches(file, self._types) as reader:
            return tuple(arrow.column(field) for field in reader.schema)

    @contextmanager
    def _batches(self, file: File, types: dict[str, pa.DataType]) -> Iterator[Any]:
        """Parsed record batches of a file."""
        from pyarrow import csv  # not at the top: it is slow to import

        delimiter = self._delimiter or ("\t" if ".tsv" in file.name else ",")
        with file.opened() as handle:
            text = pa.CompressedInputStream(handle, "gzip") if _is_gzip(file) else handle
            try:
                yield csv.open_csv(
                    text,
                    csv.ReadOptions(
                        use_threads=False,
                        block_size=_SAMPLE_BYTES,
                        autogenerate_column_names=not self._has_header,
                    ),
                    csv.ParseOptions(delimiter=delimiter),
                    csv.ConvertOptions(column_types=types),
                )
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise self._parse_error(file, error) from error
            except UnicodeDecodeError as error:
                raise DataError(
                    f"Cannot parse {file.name}, the names of its columns: {error}. Write the file "
                    "in UTF-8."
                ) from error

    def _parse_error(self, file: File, error: pa.ArrowException) -> DataError:
        """Where in the file a value does not parse, with rows counted from 0."""
        message = str(error)
        row = re.search(r"Row #(\d+)", message)
        column = re.search(r"CSV column #(\d+)", message)
        where = file.name
        if column:
            where += f", column {list(self._types)[int(column[1])]!r}"
        if row:
            where += f", row {int(row[1]) - 1 - self._has_header} (counted from 0)"
        reason = message.rsplit("Row #", 1)[-1].partition(": ")[2] if row else message
        return DataError(
            f"Cannot parse {where}: {reason}. Mend the file, or declare the type of the column: "
            "schema={name: 'float64'}, or str for text."
        )

    def _decoded(self, file: File) -> tuple[File, int]:
        """The private Arrow file with the rows of `file`, and their number."""
        return self._spool.get(file, self._decode)

    def _decode(self, file: File, path: str) -> int:
        """Write the rows of `file` as record batches of a cell each; their number."""
        n_rows = 0
        schema = pa.schema(list(self._types.items()))
        with (
            self._batches(file, self._types) as reader,
            _writing(path),
            pa.OSFile(path, "wb") as sink,
            pa.ipc.new_file(sink, schema) as writer,
        ):
            for table in _regrouped(reader, schema.names):
                writer.write_table(table)
                n_rows += table.num_rows
        return n_rows


def _arrow_types(schema: Any) -> dict[str, pa.DataType]:
    """The Arrow types of a schema by name."""
    if not isinstance(schema, Mapping):
        raise ParameterError(f"schema={schema!r}: give a dict of types by name of the column.")
    types = {}
    for name, dtype in schema.items():
        try:
            types[name] = arrow.type_of(dtype)
        except (TypeError, pa.ArrowException) as error:
            raise ParameterError(
                f"schema: {name!r} cannot be of type {dtype!r}: {error}"
            ) from error
    return types


def _checked_delimiter(delimiter: Any) -> str | None:
    if delimiter is None:
        return None
    if not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter.isascii()):
        raise ParameterError(f"delimiter={delimiter!r}: give one ASCII character, such as ';'.")
    return delimiter


@contextmanager
def _writing(path: str) -> Iterator[None]:
    """Turn a disk without room for a decoded file into an error that says so."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileError) or not DiskFullError.is_why(error):
            raise
        raise DiskFullError(
            error.errno,
            f"No room for the decoded rows of CSV files in {Path(path).parent.parent}: they take "
            "up to a few times the room of the text. Free some, or name a folder on another disk "
            "by SHOAL_CACHE_DIR.",
        ) from error


class _Spool:
    """Private Arrow files by the CSV file they were decoded from, gone with this object."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._folder: PrivateFolder | None = None
        self._files: dict[File, tuple[File, int]] = {}

    def __reduce__(self) -> tuple[type["_Spool"], tuple[()]]:
        # The files belong to this process: another one makes its own.
        return _Spool, ()

    def get(self, file: File, decode: Any) -> tuple[File, int]:
        """The decoded file and its number of rows; `decode(file, path)` writes it at first."""
        with self._lock:
            if file not in self._files:
                if self._folder is None:
                    self._folder = make_private_folder(cache_directory())
                path = str(self._folder.path / f"{len(self._files)}.arrow")
                n_rows = decode(file, path)
                self._files[file] = File.at(path), n_rows
            return self._files[file]


def _regrouped(batches: Iterable[pa.RecordBatch], names: list[str]) -> Iterator[pa.Table]:
    """The same rows in tables of CELL_ROWS rows, each of one chunk a column."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in batches:
        held.append(batch.select(names))
        n_held += batch.num_rows
        while n_held >= CELL_ROWS:
            table = pa.Table.from_batches(held)
            yield table.slice(0, CELL_ROWS).combine_chunks()
            held = table.slice(CELL_ROWS).to_batches()
            n_held -= CELL_ROWS
    if n_held:
        yield pa.Table.from_batches(held).combine_chunks()


def _is_gzip(file: File) -> bool:
    return file.name.lower().endswith(".gz")
