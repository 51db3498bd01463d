"""Runs of dense rows with a number each, in memory or in a private file."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from shoal._typing import AnyArray, Int64Array
from shoal.data.private_file import PrivateFile
from shoal.exceptions import FileError

_NUMBER = np.dtype(np.int64)

#: Of rows that are read from a file at a time, and of those that are sorted on their way there.
_STRIP_BYTES = 2 * 2**20
_SORTED_BYTES = 8 * 2**20


class RowStorage(ABC):
    """Room for runs of rows, filled from their beginning.

    Parameters
    ----------
    starts : ndarray of shape (n_runs + 1,), int64
        Where each run begins, and the number of rows.
    """

    def __init__(self, starts: Int64Array) -> None:
        self.starts = starts
        self._next = starts[:-1].copy()

    @property
    def n_rows(self) -> int:
        return int(self.starts[-1])

    def append(self, runs: AnyArray, rows: AnyArray, numbers: Int64Array) -> None:
        """Put rows and their numbers, each behind what its run has; those of a run keep order.

        Parameters
        ----------
        runs : ndarray of shape (n,), of integers
        rows : ndarray of shape (n, n_features)
        numbers : ndarray of shape (n,), int64
        """
        n_runs = len(self._next)
        # Short integers are sorted by counting.
        order = np.argsort(runs.astype(np.min_scalar_type(n_runs)), kind="stable")
        counts = np.bincount(runs, minlength=n_runs)
        first = self._next - (np.cumsum(counts) - counts)
        ordered = runs[order]
        self._write(order, ordered, first[ordered] + np.arange(len(order)), rows, numbers)
        self._next += counts

    @abstractmethod
    def read(self, run: int) -> Iterator[tuple[AnyArray, Int64Array]]:
        """The rows of a run that is full, C-contiguous, and their numbers, in strips."""

    @abstractmethod
    def _write(
        self,
        order: Int64Array,
        runs: AnyArray,
        places: Int64Array,
        rows: AnyArray,
        numbers: Int64Array,
    ) -> None:
        """Put ``rows[order]`` and their numbers at these places, which are of these runs."""


class RowArrays(RowStorage):
    """Rows in memory."""

    def __init__(self, starts: Int64Array, n_features: int, dtype: np.dtype[Any]) -> None:
        super().__init__(starts)
        self._rows = np.empty((self.n_rows, n_features), dtype=dtype)
        self._numbers = np.empty(self.n_rows, dtype=_NUMBER)

    def read(self, run: int) -> Iterator[tuple[AnyArray, Int64Array]]:
        start, stop = self.starts[run : run + 2].tolist()
        yield self._rows[start:stop], self._numbers[start:stop]

    def _write(
        self,
        order: Int64Array,
        runs: AnyArray,
        places: Int64Array,
        rows: AnyArray,
        numbers: Int64Array,
    ) -> None:
        # From where they are straight to their places.
        found = np.empty_like(places)
        found[order] = places
        self._rows[found], self._numbers[found] = rows, numbers


class RowFile(RowStorage):
    """Rows in a private file, gone when this object is.

    Each run has checksums, of its rows and of their numbers. They are compared when the last strip
    has been read: who reads a run to its end has read what was written, or got an error.

    Parameters
    ----------
    starts : ndarray of shape (n_runs + 1,), int64
    n_features : int
    dtype : numpy.dtype
    directory : path, default=None
        As of `shoal.data.private_file.PrivateFile`.

    Raises
    ------
    DiskFullError
        There is not enough room: all of it is taken at once.
    FileError
        `directory` cannot be written, or belongs to somebody else.
    """

    def __init__(
        self,
        starts: Int64Array,
        n_features: int,
        dtype: np.dtype[Any],
        directory: Path | None = None,
    ) -> None:
        super().__init__(starts)
        self._n_features, self._dtype = n_features, dtype
        self._row_bytes = n_features * dtype.itemsize
        self._written = [_digests() for _ in starts[1:]]
        n_bytes = self.n_rows * (self._row_bytes + _NUMBER.itemsize)
        self._file = PrivateFile(
            "rows", "file of grouped rows", "use algorithm='brute'", n_bytes, directory
        )
        try:
            self._file.allocate(0, n_bytes)
        except FileError:
            self._file.close()
            raise

    @property
    def path(self) -> Path:
        return self._file.path

    def read(self, run: int) -> Iterator[tuple[AnyArray, Int64Array]]:
        start, stop = self.starts[run : run + 2].tolist()
        step = max(64, _STRIP_BYTES // self._row_bytes)
        found = _digests()
        for first in range(start, stop, step):
            n_rows = min(step, stop - first)
            rows = np.empty((n_rows, self._n_features), dtype=self._dtype)
            numbers = np.empty(n_rows, dtype=_NUMBER)
            for values, offset, digest in zip(
                (rows, numbers), self._offsets(first), found, strict=True
            ):
                self._file.read(offset, _bytes(values), digest)
            yield rows, numbers
        for offset, digest, written in zip(
            self._offsets(start), found, self._written[run], strict=True
        ):
            self._file.check(offset, digest, written.intdigest())

    def close(self) -> None:
        """Remove the file and its folder. Idempotent."""
        self._file.close()

    def _write(
        self,
        order: Int64Array,
        runs: AnyArray,
        places: Int64Array,
        rows: AnyArray,
        numbers: Int64Array,
    ) -> None:
        step = max(64, _SORTED_BYTES // self._row_bytes)
        for first in range(0, len(order), step):
            here, which = runs[first : first + step], order[first : first + step]
            sorted_rows, sorted_numbers = rows[which], numbers[which]
            edges = [0, *(np.flatnonzero(np.diff(here)) + 1).tolist(), len(which)]
            for start, stop in pairwise(edges):
                part = slice(start, stop)
                self._write_run(
                    int(here[start]),
                    int(places[first + start]),
                    sorted_rows[part],
                    sorted_numbers[part],
                )

    def _write_run(self, run: int, start: int, rows: AnyArray, numbers: Int64Array) -> None:
        """Put rows of a run and their numbers at places `start` and on."""
        values = (
            np.ascontiguousarray(rows, dtype=self._dtype),
            np.ascontiguousarray(numbers, dtype=_NUMBER),
        )
        for part, offset, digest in zip(
            values, self._offsets(start), self._written[run], strict=True
        ):
            self._file.write(offset, [_bytes(part)], digest)

    def _offsets(self, place: int) -> tuple[int, int]:
        """Where a row stands, and its number: behind all rows."""
        return place * self._row_bytes, self.n_rows * self._row_bytes + place * _NUMBER.itemsize


def _digests() -> tuple[xxhash.xxh3_64, xxhash.xxh3_64]:
    """Checksums of rows and of their numbers."""
    return xxhash.xxh3_64(), xxhash.xxh3_64()


def _bytes(values: AnyArray) -> memoryview:
    return values.reshape(-1).view(np.uint8).data
