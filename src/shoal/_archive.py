"""One file that holds a tree of plain values and arrays: what model files and checkpoints are.

A zip archive with one JSON member for the tree and one ``.npy`` member an array, so that
``numpy.load(path, allow_pickle=False)`` reads the arrays; the archive's comment, its last 64
bytes, is the SHA-256 of all bytes before it. Equal trees give equal files. Nothing is pickled,
and reading runs no code.
"""

import errno
import glob
import json
import math
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

import numpy as np

from shoal._typing import AnyArray
from shoal.exceptions import DiskFullError, FileError, ShoalError

TREE = "tree.json"
DIGEST_BYTES = 64


class UnstorableError(TypeError):
    """`value` has no place in an archive; the message says where it is and what it is."""

    def __init__(self, message: str, value: Any) -> None:
        super().__init__(message)
        self.value = value


class DamagedError(ValueError):
    """A file that is damaged, or never was an archive."""


def write(path: Path, tree: Mapping[str, Any]) -> None:
    """Write `tree` to `path`, whole or not at all.

    Values are None, booleans, numbers, strings, NumPy arrays, scalars and types without objects,
    object arrays of strings, and lists, tuples and string-keyed dicts of them. Every one is read
    back as it was: type, dtype, memory order and all bits.
    """
    packed, arrays = pack(tree)
    with replacing(path) as file:
        _write_members(file, packed, arrays)
        file.seek(0)
        digest = _digest(file)
        file.seek(-DIGEST_BYTES, os.SEEK_END)
        file.write(digest)


def read(path: Path) -> Any:
    """The tree that `path` holds, every byte of the file checked."""
    with opened(path) as file:
        _check(file)
        try:
            return _read_members(file)
        except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise DamagedError("its content is not laid out as an archive's") from error


def fingerprint(tree: Any) -> str:
    """SHA-256 of a tree: equal for equal values, bit by bit."""
    packed, arrays = pack(tree)
    digest = sha256(json.dumps(packed, sort_keys=True).encode())
    for _, array in sorted(arrays.items()):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` at the end of the ``with``, or leaves no trace.

    Whoever reads `path`, at any moment and after any crash, finds the old content or the new.
    """
    with file_errors(path):
        _check_replaceable(path)
        temporary = _temporary(path)
        try:
            with temporary.open("w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise now what writing `path` would raise, as far as it can be known."""
    with file_errors(path):
        _check_replaceable(path)
        temporary = _temporary(path)
        try:
            temporary.write_bytes(b"0" * 4096)
        finally:
            temporary.unlink(missing_ok=True)


def _check_replaceable(path: Path) -> None:
    """Only a file gives way to a file: renaming would put it in the place of a device, too."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "A device or pipe is there, not a file")


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{token_hex(4)}.tmp")


def left_over(path: Path) -> Iterator[Path]:
    """Temporary files that killed processes left beside `path`."""
    return path.parent.glob(f".{glob.escape(path.name)}.????????.tmp")


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Say which file it was that the system refused to write."""
    try:
        yield
    except ShoalError:
        raise
    except OSError as error:
        kind, advice = (
            (DiskFullError, "free some room or choose another folder")
            if DiskFullError.is_why(error)
            else (FileError, "choose a folder that exists and can be written")
        )
        raise kind(f"cannot write {path}: {error.strerror}; {advice}") from error


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """`path` open for reading."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    with file:
        yield file


def _sync_folder(folder: Path) -> None:
    # Without this a crash of the machine may take the rename back.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_members(file: IO[bytes], packed: Any, arrays: Mapping[str, AnyArray]) -> None:
    # A ZipInfo made by hand has a fixed date, so that equal trees give equal files.
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(TREE), json.dumps(packed, indent=1, allow_nan=False))
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        archive.comment = b"0" * DIGEST_BYTES


def _read_members(file: IO[bytes]) -> Any:
    with zipfile.ZipFile(file) as archive:
        return _unpack(json.loads(archive.read(TREE)), lambda name: _array(archive, name))


def _digest(file: IO[bytes]) -> bytes:
    """Hexadecimal SHA-256 of all of an open file but its digest."""
    digest = sha256()
    left = file.seek(0, os.SEEK_END) - DIGEST_BYTES
    file.seek(0)
    while left > 0 and (piece := file.read(min(left, 1 << 20))):
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest().encode()


def _check(file: IO[bytes]) -> None:
    expected = _digest(file)
    if file.read(DIGEST_BYTES) != expected:
        raise DamagedError("its checksum does not match its content")


def _array(archive: zipfile.ZipFile, name: str) -> AnyArray:
    with archive.open(f"{name}.npy") as member:
        array: AnyArray = np.lib.format.read_array(member, allow_pickle=False)
        return array


def pack(tree: Any) -> tuple[Any, dict[str, AnyArray]]:
    """A tree as JSON, and the arrays it refers to by name."""
    arrays: dict[str, AnyArray] = {}
    return _pack(tree, (), arrays), arrays


def _pack(value: Any, path: tuple[str, ...], arrays: dict[str, AnyArray]) -> Any:
    # Exact types: a subclass would come back as what it derives from.
    pack_container = _CONTAINERS.get(type(value))
    return pack_container(value, path, arrays) if pack_container else _pack_scalar(value, path)


def _pack_list(
    values: list[Any] | tuple[Any, ...], path: tuple[str, ...], arrays: dict[str, AnyArray]
) -> list[Any]:
    return [_pack(item, (*path, str(i)), arrays) for i, item in enumerate(values)]


def _pack_tuple(
    values: tuple[Any, ...], path: tuple[str, ...], arrays: dict[str, AnyArray]
) -> dict[str, Any]:
    return {"$tuple": _pack_list(values, path, arrays)}


def _pack_dict(
    values: dict[Any, Any], path: tuple[str, ...], arrays: dict[str, AnyArray]
) -> dict[str, Any]:
    for key in values:
        if type(key) is not str or key.startswith("$"):
            raise UnstorableError(f"{_name(path)} has the key {key!r}; keys are strings", key)
    return {key: _pack(item, (*path, key), arrays) for key, item in values.items()}


def _pack_array(
    value: AnyArray, path: tuple[str, ...], arrays: dict[str, AnyArray]
) -> dict[str, Any]:
    if value.dtype.hasobject:
        return {"$strings": _strings(value, path)}
    name = "/".join(path)
    if not all(part.isidentifier() or part.isdecimal() for part in path):
        name = f"array{len(arrays)}"
    arrays[name] = value
    return {"$array": name}


def _strings(value: AnyArray, path: tuple[str, ...]) -> list[Any]:
    strings = list(value)
    if value.ndim != 1 or any(type(string) is not str for string in strings):
        raise UnstorableError(
            f"{_name(path)} is an array of objects that are not all strings", value
        )
    return strings


def _pack_scalar(value: Any, path: tuple[str, ...]) -> Any:
    match value:
        case np.generic() if not value.dtype.hasobject:
            return {"$scalar": [value.dtype.str, value.tobytes().hex()]}
        case np.dtype() if not value.hasobject:
            return {"$dtype": value.str}
        case type() if issubclass(value, np.generic):
            return {"$type": np.dtype(value).str}
        case float() if not math.isfinite(value):
            return {"$float": repr(value)}
    if type(value) not in _PLAIN:
        raise UnstorableError(f"{_name(path)} is of type {type(value).__name__}", value)
    return value


def _name(path: tuple[str, ...]) -> str:
    return ".".join(path)


_PLAIN = {type(None), bool, int, float, str}

_CONTAINERS: dict[type, Callable[..., Any]] = {
    list: _pack_list,
    tuple: _pack_tuple,
    dict: _pack_dict,
    np.ndarray: _pack_array,
    np.memmap: _pack_array,
}


def _unpack(value: Any, array: Callable[[str], AnyArray]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, array) for item in value]
    if not isinstance(value, dict):
        return value
    items = {key: _unpack(item, array) for key, item in value.items()}
    for tag, content in items.items():
        if tag.startswith("$"):
            return array(content) if tag == "$array" else _TAGS[tag](content)
    return items


_TAGS: dict[str, Callable[[Any], Any]] = {
    "$tuple": tuple,
    "$strings": lambda strings: np.array(strings, dtype=object),
    "$scalar": lambda scalar: np.frombuffer(bytes.fromhex(scalar[1]), dtype=scalar[0])[0],
    "$float": float,
    "$dtype": np.dtype,
    "$type": lambda text: np.dtype(text).type,
}
