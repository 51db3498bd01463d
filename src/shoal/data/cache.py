"""The block cache: a private file of decoded blocks on local disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import xxhash
from scipy import sparse

from shoal._typing import AnyArray, Matrix
from shoal.data.block import Block
from shoal.data.private_file import PrivateFile
from shoal.exceptions import FileError

#: Blocks start at pages of the disk.
_PAGE = 4096

#: Arrays within a block start at cache lines.
_LINE = 64

#: The file grows by so much at a time, before blocks are written: a full disk shows before a block
#: is half written, and writing takes a quarter less time.
_GROWTH = 64 << 20


@dataclass(frozen=True, slots=True)
class _Array:
    """Where an array stands within its block's bytes."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: str

    @property
    def stop(self) -> int:
        return self.start + int(np.prod(self.shape)) * self.dtype.itemsize

    def view(self, buffer: AnyArray) -> AnyArray:
        """The array, as a view of the block's bytes."""
        flat = buffer[self.start : self.stop].view(self.dtype)
        return flat.reshape(self.shape, order=self.order)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """Where a block stands in the cache file, and what of it stayed in memory.

    Parameters
    ----------
    offset, n_bytes : int
        Its bytes in the file.
    checksum : int
        XXH3 of these bytes.
    arrays : dict of _Array
        Its arrays, by name.
    n_columns : int
        Width of the feature matrix.
    first_row : int
    target : ndarray or None
        A target of Python objects, which no file holds.
    beside : dict
        What statistics keep beside the block.
    """

    offset: int
    n_bytes: int
    checksum: int
    arrays: dict[str, _Array]
    n_columns: int
    first_row: int
    target: AnyArray | None
    beside: dict[str, Any]

    @property
    def n_pages_bytes(self) -> int:
        """Room that the block takes in the file."""
        return _aligned(self.n_bytes, _PAGE)


class BlockCache:
    """A file of decoded blocks in a private folder, gone when this object is.

    Each block carries a checksum that is verified whenever it is read.

    Parameters
    ----------
    expected_bytes : int
        Refused at once where the disk has less room than this.
    directory : path, default=None
        Where the folder is made, in one of this user; by default ``$SHOAL_CACHE_DIR``, else
        ``$XDG_CACHE_HOME``, else the directory for temporary files.

    Raises
    ------
    DiskFullError
        There is not enough room.
    FileError
        `directory` cannot be written, or belongs to somebody else.
    """

    def __init__(self, expected_bytes: int = 0, directory: Path | None = None) -> None:
        instead = "give a larger memory budget"
        self._file = PrivateFile("blocks", "block cache", instead, expected_bytes, directory)
        self._lock = Lock()
        self._end = self._allocated = 0
        self._free: list[tuple[int, int]] = []

    @property
    def path(self) -> Path:
        return self._file.path

    def write(self, block: Block) -> StoredBlock:
        """Append a block; several threads may at a time.

        Raises
        ------
        DiskFullError
            There is no room; the message says how much is missing, and where.
        """
        parts = _parts(block)
        arrays, n_bytes = _lay_out(parts)
        offset = self._reserve(n_bytes)
        digest = xxhash.xxh3_64()
        try:
            self._allocate(offset + n_bytes)
            self._file.write(offset, _pieces(parts, arrays), digest)
        except FileError:
            self._give_back(offset, _aligned(n_bytes, _PAGE))
            raise
        target = block.target if block.target is not None and "target" not in parts else None
        return StoredBlock(
            offset,
            n_bytes,
            digest.intdigest(),
            arrays,
            block.X.shape[1],
            block.first_row,
            target,
            block.beside,
        )

    def expect(self, stored: StoredBlock) -> None:
        """Have the system read a block ahead, into memory of its own."""
        self._file.expect(stored.offset, stored.n_bytes)

    def read(self, stored: StoredBlock, buffer: AnyArray) -> Block:
        """The block, its arrays views of the first ``stored.n_bytes`` of `buffer`.

        Parameters
        ----------
        stored : StoredBlock
        buffer : ndarray of shape (>= stored.n_bytes,), uint8

        Raises
        ------
        CorruptFileError
            The file is not what was written.
        FileError
            The file cannot be read, or the cache is closed.
        """
        digest = xxhash.xxh3_64()
        self._file.read(stored.offset, buffer[: stored.n_bytes].data, digest)
        self._file.check(stored.offset, digest, stored.checksum)
        parts = {name: array.view(buffer) for name, array in stored.arrays.items()}
        n_rows = stored.arrays["indptr"].shape[0] - 1 if "indptr" in parts else len(parts["X"])
        return Block(
            _matrix(parts, (n_rows, stored.n_columns)),
            stored.first_row,
            parts["minimum"],
            parts["maximum"],
            parts.get("target", stored.target),
            parts.get("sample_weight"),
            parts.get("rows"),
            stored.beside,
        )

    def discard(self, stored: StoredBlock) -> None:
        """Let other blocks be written where this one stands."""
        self._give_back(stored.offset, stored.n_pages_bytes)

    def close(self) -> None:
        """Remove the file and its folder. Idempotent."""
        self._file.close()

    def _reserve(self, n_bytes: int) -> int:
        """Where `n_bytes` may be written: the first gap that is large enough, else the end."""
        room = _aligned(n_bytes, _PAGE)
        with self._lock:
            for position, (offset, gap) in enumerate(self._free):
                if gap >= room:
                    self._free[position] = (offset + room, gap - room)
                    return offset
            offset = self._end
            self._end += room
            return offset

    def _allocate(self, end: int) -> None:
        """Have the file system lay out room up to `end`, and some more."""
        with self._lock:
            if end > self._allocated:
                size = max(_GROWTH, end - self._allocated)
                self._file.allocate(self._allocated, size)
                self._allocated += size

    def _give_back(self, offset: int, room: int) -> None:
        with self._lock:
            self._free.append((offset, room))


def _parts(block: Block) -> dict[str, AnyArray]:
    """The arrays of a block that a file can hold, by name."""
    parts: dict[str, AnyArray | None] = {
        "minimum": block.minimum,
        "maximum": block.maximum,
        "target": block.target,
        "sample_weight": block.sample_weight,
        "rows": block.rows,
    }
    if sparse.issparse(block.X):
        parts |= {name: getattr(block.X, name) for name in ("data", "indices", "indptr")}
    else:
        parts["X"] = block.X
    return {
        name: _packed(part)
        for name, part in parts.items()
        if part is not None and part.dtype != object
    }


def _packed(part: AnyArray) -> AnyArray:
    """The array without gaps between its values, in its own order."""
    if part.flags.c_contiguous or part.flags.f_contiguous:
        return part
    return part.copy(order="K")


def _lay_out(parts: dict[str, AnyArray]) -> tuple[dict[str, _Array], int]:
    """Where each array goes within the block's bytes, and how many these are."""
    arrays: dict[str, _Array] = {}
    stop = 0
    for name, part in parts.items():
        order = "C" if part.flags.c_contiguous else "F"
        arrays[name] = _Array(_aligned(stop, _LINE), part.shape, part.dtype, order)
        stop = arrays[name].stop
    return arrays, stop


def _pieces(parts: dict[str, AnyArray], arrays: dict[str, _Array]) -> Iterator[memoryview]:
    """The bytes of a block: the arrays, with zeros where they begin at a cache line."""
    stop = 0
    for name, part in parts.items():
        yield memoryview(bytes(arrays[name].start - stop))
        yield _bytes(part)
        stop = arrays[name].stop


def _bytes(part: AnyArray) -> memoryview:
    """The values of a packed array, without a copy."""
    flat = part if part.flags.c_contiguous else part.T
    return flat.reshape(-1).view(np.uint8).data


def _matrix(parts: dict[str, AnyArray], shape: tuple[int, int]) -> Matrix:
    """The feature matrix from its parts."""
    if "X" in parts:
        return parts["X"]
    return sparse.csr_array((parts["data"], parts["indices"], parts["indptr"]), shape=shape)


def _aligned(n_bytes: int, unit: int) -> int:
    return -(-n_bytes // unit) * unit
