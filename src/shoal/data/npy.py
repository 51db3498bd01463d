"""Rows of NumPy's .npy files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from shoal._typing import AnyArray, Rows
from shoal.data.arrays import cell_lengths
from shoal.data.files import AnyPath, File, common_columns, find_files, fingerprint, lay_cells
from shoal.data.source import Cell, Column, Source
from shoal.exceptions import CorruptFileError, DataError, SchemaError

_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class NpySource(Source):
    """Rows of ``.npy`` files, C- or Fortran-ordered.

    Rows are read, not mapped: mapped pages would count as memory of the process.

    Parameters
    ----------
    paths : path, glob, folder or URL, or a list of these
        Files come in natural order of their names within a glob or folder; their matrices have
        the same type and number of columns, which are named ``x0``, ``x1``, ...

    Raises
    ------
    FileError, CorruptFileError
        A file is not there, is shorter than its header says, or has no header.
    DataError, SchemaError
        A file holds no matrix of numbers, or the files' columns differ.
    """

    def __init__(self, paths: AnyPath | Iterable[AnyPath]) -> None:
        self._files = find_files(paths, (".npy",))
        self._columns = common_columns(self._files, _file_columns)

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._columns

    def cells(self) -> Sequence[Cell]:
        return self._cells

    @cached_property
    def _cells(self) -> tuple[Cell, ...]:
        return lay_cells(self._files, lambda file: cell_lengths(_layout(file).shape[0]))

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        file = self._files[cell.address[0]]
        end = cell.first_row_in_file + cell.n_rows
        layout = _layout(file)
        with file.opened() as handle:
            for start in range(cell.first_row_in_file, end, max_rows):
                stop = min(start + max_rows, end)
                yield layout.read(handle, start, stop, columns)

    def fingerprint(self) -> str:
        return fingerprint(self._files)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the values stand in a file."""

    offset: int
    shape: tuple[int, int]
    is_fortran: bool
    dtype: np.dtype[Any]

    def read(self, handle: Any, start: int, stop: int, columns: Sequence[int]) -> Rows:
        """The columns of some rows."""
        n_rows, n_columns = self.shape
        if self.is_fortran:
            return [
                self._values(handle, column * n_rows + start, stop - start) for column in columns
            ]
        values = self._values(handle, start * n_columns, (stop - start) * n_columns)
        rows = values.reshape(stop - start, n_columns)
        return rows if list(columns) == list(range(n_columns)) else rows[:, list(columns)]

    def _values(self, handle: Any, first: int, count: int) -> AnyArray:
        """`count` values from the one numbered `first` on."""
        handle.seek(self.offset + first * self.dtype.itemsize)
        return np.frombuffer(handle.read(count * self.dtype.itemsize), dtype=self.dtype)


@lru_cache(maxsize=64)
def _layout(file: File) -> _Layout:
    """What the header says, checked."""
    with file.opened(", its header") as handle:
        try:
            version = np.lib.format.read_magic(handle)
            shape, is_fortran, dtype = _HEADER_READERS[version](handle)
        except (ValueError, KeyError) as error:
            raise CorruptFileError(
                f"Cannot read {file.name}, its header: {error}. The file is truncated or damaged, "
                "or no .npy file: write it again by numpy.save."
            ) from error
        offset = handle.tell()
    if len(shape) != 2:
        raise DataError(
            f"Expected 2D array, got {len(shape)}D array instead: {file.name} holds one of shape "
            f"{shape}. Reshape your data by array.reshape(-1, 1) if it has a single feature."
        )
    if dtype.kind not in "fiub":
        raise SchemaError(f"{file.name} holds values of type {dtype}, not numbers.")
    expected_bytes = offset + shape[0] * shape[1] * dtype.itemsize
    if file.n_bytes < expected_bytes:
        raise CorruptFileError(
            f"{file.name} is truncated: {file.n_bytes:,} bytes, where its header announces "
            f"{expected_bytes:,}. Write it again, or leave it out."
        )
    return _Layout(offset, (shape[0], shape[1]), is_fortran, dtype)


def _file_columns(file: File) -> tuple[Column, ...]:
    layout = _layout(file)
    return tuple(Column(f"x{position}", layout.dtype) for position in range(layout.shape[1]))
