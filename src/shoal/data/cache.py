"""The block cache: a private file of decoded blocks on local disk."""

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import xxhash
from scipy import sparse

from shoal._typing import AnyArray, Matrix
from shoal.data.block import Block
from shoal.data.plan import format_bytes
from shoal.exceptions import CorruptFileError, DiskFullError, FileError

#: Blocks start at pages of the disk.
_PAGE = 4096

#: Arrays within a block start at cache lines.
_LINE = 64

#: The file grows by so much at a time, before blocks are written: a full disk shows before a block
#: is half written, and writing takes a quarter less time.
_GROWTH = 64 << 20

#: Bytes moved in one call: few enough to be in the processor's cache still when the checksum
#: looks at them.
_TRANSFER = 1 << 20


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

    Blocks are read with ``pread`` rather than mapped: mapped pages would count as memory of the
    process. Each carries a checksum that is verified whenever it is read.

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
        self._folder = make_private_folder(directory or cache_directory())
        self._expected_bytes = expected_bytes
        self._path = self._folder.path / "blocks"
        self._lock = Lock()
        self._end = self._allocated = 0
        self._free: list[tuple[int, int]] = []
        try:
            self._check_room(expected_bytes)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._path, flags, 0o600)
        except BaseException:
            self._folder.remove()
            raise
        self._close_file = weakref.finalize(self, os.close, self._file)

    @property
    def path(self) -> Path:
        return self._path

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
        try:
            self._allocate(offset + n_bytes)
            checksum = self._write_at(offset, _pieces(parts, arrays))
        except OSError as error:
            self._give_back(offset, _aligned(n_bytes, _PAGE))
            raise self._write_error(error, offset, n_bytes) from error
        target = block.target if block.target is not None and "target" not in parts else None
        return StoredBlock(
            offset,
            n_bytes,
            checksum,
            arrays,
            block.X.shape[1],
            block.first_row,
            target,
            block.beside,
        )

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
        try:
            checksum = self._read_at(stored.offset, buffer[: stored.n_bytes].data)
        except OSError as error:
            raise FileError(
                error.errno, f"The block cache {self._path} cannot be read: {error}."
            ) from error
        if checksum != stored.checksum:
            raise CorruptFileError(
                f"The block cache {self._path} is damaged at byte {stored.offset:,} (rows from "
                f"{stored.first_row:,}): it was changed, or the disk fails. Fit again; "
                "SHOAL_CACHE_DIR names a folder on another disk."
            )
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

    def announce(self, stored: StoredBlock) -> None:
        """Let the system fetch a block from the disk that will be read soon."""
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):  # which `read` will raise
                os.posix_fadvise(self._file, stored.offset, stored.n_bytes, os.POSIX_FADV_WILLNEED)

    def discard(self, stored: StoredBlock) -> None:
        """Let other blocks be written where this one stands."""
        self._give_back(stored.offset, stored.n_pages_bytes)

    def close(self) -> None:
        """Remove the file and its folder. Idempotent."""
        self._file = -1
        self._close_file()
        self._folder.remove()

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
            if end > self._allocated and hasattr(os, "posix_fallocate"):  # macOS has none
                size = max(_GROWTH, end - self._allocated)
                os.posix_fallocate(self._file, self._allocated, size)
                self._allocated += size

    def _give_back(self, offset: int, room: int) -> None:
        with self._lock:
            self._free.append((offset, room))

    def _write_at(self, offset: int, pieces: Iterable[memoryview]) -> int:
        """Write the pieces one behind the other; their checksum."""
        digest = xxhash.xxh3_64()
        for piece in pieces:
            for start in range(0, piece.nbytes, _TRANSFER):
                part = piece[start : start + _TRANSFER]
                digest.update(part)
                while part.nbytes:
                    n_written = os.pwrite(self._file, part, offset)
                    part, offset = part[n_written:], offset + n_written
        return digest.intdigest()

    def _read_at(self, offset: int, room: memoryview) -> int:
        """Fill `room` from the file, as far as this goes; the checksum of what was read."""
        digest = xxhash.xxh3_64()
        while n_read := os.preadv(self._file, [room[:_TRANSFER]], offset):
            digest.update(room[:n_read])
            room, offset = room[n_read:], offset + n_read
        return digest.intdigest()

    def _check_room(self, n_bytes: int) -> None:
        room = free_bytes(self._folder.path)
        if room < n_bytes:
            raise DiskFullError(ENOSPC, self._full_message(n_bytes - room))

    def _write_error(self, error: OSError, offset: int, n_bytes: int) -> FileError:
        """The typed error for one that came while the block at `offset` was written."""
        if DiskFullError.is_why(error):
            needed = max(self._expected_bytes - offset, n_bytes)
            # A quota or a limit on files ends sooner than the disk.
            missing = max(needed - free_bytes(self._folder.path), n_bytes)
            return DiskFullError(error.errno, self._full_message(missing))
        return FileError(error.errno, f"The block cache {self._path} cannot be written: {error}")

    def _full_message(self, missing: int) -> str:
        return (
            f"No room for the block cache in {self._folder.path.parent}: it needs at least "
            f"{format_bytes(missing)} more. Free some, name a folder on another disk by "
            "SHOAL_CACHE_DIR, or give a larger memory budget."
        )


class PrivateFolder:
    """A folder of this process alone, marked as living by a lock on a file in it.

    The lock is the kernel's: it ends with the process, however that ends, so a folder whose lock
    can be taken belongs to nobody, even after the machine was started anew or the process number
    was used again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700)
        lock = _locked(path / "owner")
        assert lock is not None  # nobody else opens it before: the root is locked
        os.write(lock, f"{os.getpid()}\n".encode())
        # Also runs when the interpreter exits.
        self.remove = weakref.finalize(self, _remove_folder, path, lock, os.getpid())


def make_private_folder(directory: Path) -> PrivateFolder:
    """A new private folder in this user's folder of `directory`.

    Those left there by processes that have died are removed first.
    """
    root = directory / f"shoal-{os.geteuid()}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_owner(root)
        with _locked_root(root):
            _remove_orphans(root)
            return PrivateFolder(root / f"blocks-{os.getpid()}-{secrets.token_hex(4)}")
    except FileError:
        raise
    except OSError as error:
        raise FileError(
            error.errno,
            f"The block cache cannot be made in {root}: {error.strerror}. SHOAL_CACHE_DIR names "
            "another folder.",
        ) from error


def cache_directory() -> Path:
    """Where block caches go."""
    chosen = os.environ.get("SHOAL_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    return Path(chosen or tempfile.gettempdir()).expanduser()


def free_bytes(path: Path) -> int:
    """Room on the disk of `path` for this user."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def _check_owner(root: Path) -> None:
    """Refuse a folder that somebody else has laid out to read or to swap our files."""
    status = root.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise FileError(
            f"{root} is not a folder of this user, so the block cache would not be private "
            "there. Remove it, or name another folder by SHOAL_CACHE_DIR."
        )


def _locked(path: Path) -> int | None:
    """A descriptor of the file with its lock held; None where another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def _locked_root(root: Path) -> Iterator[None]:
    """Keep others from taking a folder for an orphan before its own lock is held."""
    descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_orphans(root: Path) -> None:
    """Remove the folders whose processes have died."""
    for folder in root.glob("blocks-*-*"):
        with suppress(OSError):
            lock = _locked(folder / "owner")
            if lock is not None:
                _remove_folder(folder, lock, os.getpid())


def _remove_folder(path: Path, lock: int, owner: int) -> None:
    """Remove a folder and let its lock go; in a forked child of the owner, only the latter."""
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


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
