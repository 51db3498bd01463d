"""Private files on local disk: this user's alone, and gone with the object that made them."""

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path

import xxhash

from shoal.data.plan import format_bytes
from shoal.exceptions import CorruptFileError, DiskFullError, FileError

#: Bytes moved in one call: few enough to be in the processor's cache still when the checksum
#: looks at them.
_TRANSFER = 1 << 20

#: Asked for ahead in one call: Linux silently leaves out what is more than its own read-ahead,
#: by default this.
_ADVICE = 128 << 10


class PrivateFile:
    """A file in a private folder, gone when this object is.

    It is read by ``pread`` rather than mapped: mapped pages would count as memory of the process.
    What was written comes with its checksum, XXH3, to be compared with that of what is read.

    Parameters
    ----------
    name : str
        Of the file.
    what : str
        What it holds, for the messages of errors.
    instead : str
        What else may be done where there is no room for it.
    expected_bytes : int
        Refused at once where the disk has less room than this.
    directory : path, default=None
        Where the folder is made, in one of this user; by default `cache_directory`.

    Raises
    ------
    DiskFullError
        There is not enough room.
    FileError
        `directory` cannot be written, or belongs to somebody else.
    """

    def __init__(
        self,
        name: str,
        what: str,
        instead: str,
        expected_bytes: int,
        directory: Path | None = None,
    ) -> None:
        self._what, self._instead = what, instead
        self._expected_bytes = expected_bytes
        self._folder = make_private_folder(directory or cache_directory())
        self.path = self._folder.path / name
        try:
            self._check_room(expected_bytes)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self.path, flags, 0o600)
        except BaseException:
            self._folder.remove()
            raise
        self._close_file = weakref.finalize(self, os.close, self._file)

    def allocate(self, offset: int, n_bytes: int) -> None:
        """Have the file system lay out room: a full disk shows before anything is half written."""
        try:
            if hasattr(os, "posix_fallocate") and n_bytes:  # macOS has none
                os.posix_fallocate(self._file, offset, n_bytes)
        except OSError as error:
            raise self._write_error(error, offset, n_bytes) from error

    def write(self, offset: int, pieces: Iterable[memoryview], digest: xxhash.xxh3_64) -> None:
        """Write the pieces one behind the other, and add them to a checksum."""
        for piece in pieces:
            for start in range(0, piece.nbytes, _TRANSFER):
                part = piece[start : start + _TRANSFER]
                digest.update(part)
                offset = self._write_at(offset, part)

    def expect(self, offset: int, n_bytes: int) -> None:
        """Have the system read these bytes into its page cache while the caller goes on."""
        # macOS has none. To ask for what is there would cost a pass a few percent.
        if hasattr(os, "posix_fadvise") and not self._is_at_hand(offset + n_bytes - 1):
            # Advice that cannot be followed is no error: `read` will say what is wrong.
            with suppress(OSError):
                for start in range(offset, offset + n_bytes, _ADVICE):
                    os.posix_fadvise(self._file, start, _ADVICE, os.POSIX_FADV_WILLNEED)

    def read(self, offset: int, room: memoryview, digest: xxhash.xxh3_64) -> None:
        """Fill `room` from the file, as far as this goes, and add what was read to a checksum."""
        try:
            while n_read := os.preadv(self._file, [room[:_TRANSFER]], offset):
                digest.update(room[:n_read])
                room, offset = room[n_read:], offset + n_read
        except OSError as error:
            raise FileError(
                error.errno, f"The {self._what} {self.path} cannot be read: {error}."
            ) from error

    def check(self, offset: int, digest: xxhash.xxh3_64, checksum: int) -> None:
        """Refuse what was read from `offset` on where its checksum is not that of the writing."""
        if digest.intdigest() != checksum:
            raise CorruptFileError(
                f"The {self._what} {self.path} is damaged at byte {offset:,} or behind: it was "
                "changed or cut short, or the disk fails. Fit again; SHOAL_CACHE_DIR names a "
                "folder on another disk."
            )

    def close(self) -> None:
        """Remove the file and its folder. Idempotent."""
        self._file = -1
        self._close_file()
        self._folder.remove()

    def _is_at_hand(self, offset: int) -> bool:
        """Whether a byte can be read without the disk; False where the system cannot tell."""
        try:
            return bool(os.preadv(self._file, [bytearray(1)], offset, os.RWF_NOWAIT))
        except (AttributeError, OSError):
            return False

    def _write_at(self, offset: int, part: memoryview) -> int:
        """Write all of a part; where it ends."""
        while part.nbytes:
            try:
                n_written = os.pwrite(self._file, part, offset)
            except OSError as error:
                raise self._write_error(error, offset, part.nbytes) from error
            part, offset = part[n_written:], offset + n_written
        return offset

    def _check_room(self, n_bytes: int) -> None:
        room = free_bytes(self._folder.path)
        if room < n_bytes:
            raise DiskFullError(ENOSPC, self._full_message(n_bytes - room))

    def _write_error(self, error: OSError, offset: int, n_bytes: int) -> FileError:
        """The typed error for one that came while `n_bytes` were written at `offset`."""
        if DiskFullError.is_why(error):
            needed = max(self._expected_bytes - offset, n_bytes)
            # A quota or a limit on files ends sooner than the disk.
            missing = max(needed - free_bytes(self._folder.path), n_bytes)
            return DiskFullError(error.errno, self._full_message(missing))
        return FileError(error.errno, f"The {self._what} {self.path} cannot be written: {error}")

    def _full_message(self, missing: int) -> str:
        return (
            f"No room for the {self._what} in {self._folder.path.parent}: it needs at least "
            f"{format_bytes(missing)} more. Free some, name a folder on another disk by "
            f"SHOAL_CACHE_DIR, or {self._instead}."
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
            f"No private folder can be made in {root}: {error.strerror}. SHOAL_CACHE_DIR names "
            "another folder.",
        ) from error


def cache_directory() -> Path:
    """Where private folders go."""
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
            f"{root} is not a folder of this user, so files would not be private there. Remove it, "
            "or name another folder by SHOAL_CACHE_DIR."
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
