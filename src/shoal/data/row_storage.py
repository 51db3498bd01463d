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
_SORTED_BYTES = 2 * 2**20


class RowStorage(ABC):
    """Room for runs of rows, filled from their beginning.

    Parameters
    ----------
    starts : ndarray of shape (n_runs + 1,), int64
        Where each run begins, and the number of rows.
    row_bytes : int
        What a row takes.
    """

    def __init__(self, starts: Int64Array, row_bytes: int) -> None:
        self.starts, self.row_bytes = starts, row_bytes
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
    def expect(self, run: int) -> None:
        """Have a run read ahead that will be wanted soon."""

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
        super().__init__(starts, n_features * dtype.itemsize)
        self._rows = np.empty((self.n_rows, n_features), dtype=dtype)
        self._numbers = np.empty(self.n_rows, dtype=_NUMBER)

    def expect(self, run: int) -> None:
        """Nothing to do."""

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
    waiting_bytes : int, default=0
        Memory for rows that wait for others of their runs, to be written together.

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
        waiting_bytes: int = 0,
    ) -> None:
        super().__init__(starts, n_features * dtype.itemsize)
        self._n_features, self._dtype = n_features, dtype
        self._waiting = _Waiting(waiting_bytes, self.n_rows, n_features, dtype)
        self._written = [_digests() for _ in starts[1:]]
        n_bytes = self.n_rows * (self.row_bytes + _NUMBER.itemsize)
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

    def append(self, runs: AnyArray, rows: AnyArray, numbers: Int64Array) -> None:
        for waiting in self._waiting.add(runs, rows, numbers):
            super().append(*waiting)

    def expect(self, run: int) -> None:
        start, stop = self.starts[run : run + 2].tolist()
        self._file.expect(start * self.row_bytes, (stop - start) * self.row_bytes)

    def read(self, run: int) -> Iterator[tuple[AnyArray, Int64Array]]:
        start, stop = self.starts[run : run + 2].tolist()
        step = max(64, _STRIP_BYTES // self.row_bytes)
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
        step = max(64, _SORTED_BYTES // self.row_bytes)
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
        return place * self.row_bytes, self.n_rows * self.row_bytes + place * _NUMBER.itemsize


class _Waiting:
    """Rows with the runs they belong to, until they are so many that they are worth writing.

    Parameters
    ----------
    n_bytes : int
        That they may take.
    n_rows : int
        How many will come in all: the last ones wait for no others.
    n_features : int
    dtype : numpy.dtype
    """

    def __init__(self, n_bytes: int, n_rows: int, n_features: int, dtype: np.dtype[Any]) -> None:
        row_bytes = n_features * dtype.itemsize + _NUMBER.itemsize + np.dtype(np.int32).itemsize
        room = min(n_bytes // row_bytes, n_rows)
        self._runs: AnyArray = np.empty(room, dtype=np.int32)
        self._rows: AnyArray = np.empty((room, n_features), dtype=dtype)
        self._numbers: AnyArray = np.empty(room, dtype=_NUMBER)
        self._n_waiting, self._n_to_come = 0, n_rows

    def add(
        self, runs: AnyArray, rows: AnyArray, numbers: Int64Array
    ) -> Iterator[tuple[AnyArray, AnyArray, Int64Array]]:
        """Have more rows wait; those that no longer do, in the order they came."""
        room = len(self._runs)
        if not room:
            yield runs, rows, numbers
            return
        for start in range(0, len(runs), room):
            some = slice(start, start + room)
            if self._n_waiting + len(runs[some]) > room:
                yield self._taken()
            here = slice(self._n_waiting, self._n_waiting + len(runs[some]))
            self._runs[here], self._rows[here] = runs[some], rows[some]
            self._numbers[here] = numbers[some]
            self._n_waiting = here.stop
        self._n_to_come -= len(runs)
        if self._n_to_come == 0:
            yield self._taken()
            self._runs, self._rows, self._numbers = (
                part[:0].copy() for part in (self._runs, self._rows, self._numbers)
            )

    def _taken(self) -> tuple[AnyArray, AnyArray, Int64Array]:
        here, self._n_waiting = slice(self._n_waiting), 0
        return self._runs[here], self._rows[here], self._numbers[here]


def _digests() -> tuple[xxhash.xxh3_64, xxhash.xxh3_64]:
    """Checksums of rows and of their numbers."""
    return xxhash.xxh3_64(), xxhash.xxh3_64()


def _bytes(values: AnyArray) -> memoryview:
    return values.reshape(-1).view(np.uint8).data
