"""Dense rows with a number each, in memory or in a private file."""

import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path
from typing import Any

import numpy as np

from shoal._typing import AnyArray, Int64Array
from shoal.data.cache import cache_directory, free_bytes, make_private_folder
from shoal.data.plan import format_bytes
from shoal.exceptions import CorruptFileError, DiskFullError, FileError

_NUMBER = np.dtype(np.int64)

#: Of rows that are read from a file at a time.
_STRIP_BYTES = 2 * 2**20


class RowStorage(ABC):
    """Room for `n_rows` rows of `n_features` values, and the number of each."""

    n_rows: int

    @abstractmethod
    def write(self, start: int, rows: AnyArray, numbers: Int64Array) -> None:
        """Put rows, shape (n, n_features), and their numbers at places `start` and on."""

    @abstractmethod
    def read(self, start: int, stop: int) -> Iterator[tuple[AnyArray, Int64Array]]:
        """The rows at places `start` to `stop`, C-contiguous, and their numbers, in strips."""


class RowArrays(RowStorage):
    """Rows in memory."""

    def __init__(self, n_rows: int, n_features: int, dtype: np.dtype[Any]) -> None:
        self.n_rows = n_rows
        self._rows = np.empty((n_rows, n_features), dtype=dtype)
        self._numbers = np.empty(n_rows, dtype=_NUMBER)

    def write(self, start: int, rows: AnyArray, numbers: Int64Array) -> None:
        here = slice(start, start + len(rows))
        self._rows[here], self._numbers[here] = rows, numbers

    def read(self, start: int, stop: int) -> Iterator[tuple[AnyArray, Int64Array]]:
        yield self._rows[start:stop], self._numbers[start:stop]


class RowFile(RowStorage):
    """Rows in a private file, gone when this object is.

    The file is this user's alone and stands in the folder of the block cache; one that a killed
    process left is removed by the next that makes one. It is read rather than mapped: mapped pages
    would count as memory of the process.

    Parameters
    ----------
    n_rows, n_features : int
    dtype : numpy.dtype
    directory : path, default=None
        As of `shoal.data.cache.BlockCache`.

    Raises
    ------
    DiskFullError
        There is not enough room: all of it is taken at once.
    FileError
        `directory` cannot be written, or belongs to somebody else.
    """

    def __init__(
        self, n_rows: int, n_features: int, dtype: np.dtype[Any], directory: Path | None = None
    ) -> None:
        self.n_rows = n_rows
        self._n_features, self._dtype = n_features, dtype
        self._row_bytes = n_features * dtype.itemsize
        self._folder = make_private_folder(directory or cache_directory())
        self._path = self._folder.path / "rows"
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._path, flags, 0o600)
            self._close_file = weakref.finalize(self, os.close, self._file)
            self._allocate(n_rows * (self._row_bytes + _NUMBER.itemsize))
        except BaseException:
            self.close()
            raise

    @property
    def path(self) -> Path:
        return self._path

    def write(self, start: int, rows: AnyArray, numbers: Int64Array) -> None:
        self._write_at(start * self._row_bytes, np.ascontiguousarray(rows, dtype=self._dtype))
        self._write_at(self._numbers_at(start), np.ascontiguousarray(numbers, dtype=_NUMBER))

    def read(self, start: int, stop: int) -> Iterator[tuple[AnyArray, Int64Array]]:
        step = max(64, _STRIP_BYTES // self._row_bytes)
        for first in range(start, stop, step):
            n_rows = min(step, stop - first)
            rows = np.empty((n_rows, self._n_features), dtype=self._dtype)
            numbers = np.empty(n_rows, dtype=_NUMBER)
            self._read_at(first * self._row_bytes, rows)
            self._read_at(self._numbers_at(first), numbers)
            yield rows, numbers

    def close(self) -> None:
        """Remove the file and its folder. Idempotent."""
        if hasattr(self, "_close_file"):
            self._file = -1
            self._close_file()
        self._folder.remove()

    def _numbers_at(self, place: int) -> int:
        """Where the number of a row stands: behind all rows."""
        return self.n_rows * self._row_bytes + place * _NUMBER.itemsize

    def _allocate(self, n_bytes: int) -> None:
        missing = n_bytes - free_bytes(self._folder.path)
        if missing > 0:
            raise DiskFullError(ENOSPC, self._full_message(missing))
        try:
            if hasattr(os, "posix_fallocate") and n_bytes:  # macOS has none
                os.posix_fallocate(self._file, 0, n_bytes)
        except OSError as error:
            raise self._write_error(error, n_bytes) from error

    def _write_at(self, offset: int, values: AnyArray) -> None:
        part = values.reshape(-1).view(np.uint8).data
        try:
            while part.nbytes:
                n_written = os.pwrite(self._file, part, offset)
                part, offset = part[n_written:], offset + n_written
        except OSError as error:
            raise self._write_error(error, part.nbytes) from error

    def _read_at(self, offset: int, values: AnyArray) -> None:
        """Fill an array from the file."""
        room = values.reshape(-1).view(np.uint8).data
        try:
            while room.nbytes and (n_read := os.preadv(self._file, [room], offset)):
                room, offset = room[n_read:], offset + n_read
        except OSError as error:
            raise FileError(
                error.errno, f"The file of grouped rows {self._path} cannot be read: {error}."
            ) from error
        if room.nbytes:
            raise CorruptFileError(
                f"The file of grouped rows {self._path} ends at byte {offset:,}: it was cut "
                "short. Fit again; SHOAL_CACHE_DIR names a folder on another disk."
            )

    def _write_error(self, error: OSError, n_bytes: int) -> FileError:
        if DiskFullError.is_why(error):
            return DiskFullError(error.errno, self._full_message(n_bytes))
        return FileError(
            error.errno, f"The file of grouped rows {self._path} cannot be written: {error}"
        )

    def _full_message(self, missing: int) -> str:
        return (
            f"No room for grouped rows in {self._folder.path.parent}: they need at least "
            f"{format_bytes(missing)} more. Free some, name a folder on another disk by "
            "SHOAL_CACHE_DIR, or use algorithm='brute'."
        )
