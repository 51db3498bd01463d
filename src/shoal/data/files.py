"""Files by path, list, glob, folder or URL, and whether they are still what they were."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from fsspec.core import url_to_fs

from shoal.data.source import Cell, Column
from shoal.exceptions import CorruptFileError, FileChangedError, FileError, SchemaError

_NO_HIVE_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was when it was opened.

    Parameters
    ----------
    name : str
        Absolute path, or URL that fsspec understands.
    n_bytes : int
        Size.
    version : str
        Modification time, or what else the file system offers that changes with the content.
    below : str
        The name below the folder, or below the part of the glob before the first wildcard.
    """

    name: str
    n_bytes: int
    version: str
    below: str

    @classmethod
    def at(cls, name: str, below: str | None = None) -> "File":
        """The file as it is now."""
        return cls(name, *_size_and_version(name), below or name.rsplit("/", 1)[-1])

    @property
    def hive_values(self) -> dict[str, str | None]:
        """The ``key=value`` folders on the way to the file."""
        pairs = (folder.split("=", 1) for folder in self.below.split("/")[:-1] if "=" in folder)
        return {
            unquote(key): None if value == _NO_HIVE_VALUE else unquote(value)
            for key, value in pairs
        }

    @contextmanager
    def opened(self, part: str = "") -> Iterator[Any]:
        """The file for PyArrow to read, after making sure that it is the one that was opened.

        Parameters
        ----------
        part : str
            What is read, for messages, such as ``", row group 3"``.

        Raises
        ------
        FileChangedError
            The file is gone, or has another size or modification time; looked at again at the
            end, so that a file rewritten during the reading is noticed too.
        CorruptFileError
            PyArrow cannot make sense of what it reads.
        """
        try:
            # Looking after opening leaves no moment in which the file could be replaced unseen.
            with self._open() as handle:
                self.check_unchanged()
                yield handle
        except (pa.ArrowException, OSError, EOFError) as error:
            self.check_unchanged()
            if isinstance(error, FileError):
                raise
            raise CorruptFileError(
                f"Cannot read {self.name}{part}: {_first_line(error)}. The file is truncated or "
                "damaged: write it again, or leave it out."
            ) from error
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Raise FileChangedError unless the file is the one that was opened."""
        try:
            now = _size_and_version(self.name)
        except FileError as error:
            raise FileChangedError(
                f"{self.name} is gone since the dataset was opened. Bring it back, or open the "
                "dataset again."
            ) from error
        if now != (self.n_bytes, self.version):
            raise FileChangedError(
                f"{self.name} has changed since the dataset was opened ({self.n_bytes:,} bytes "
                f"then, {now[0]:,} now). Open the dataset again."
            )

    def _open(self) -> Any:
        if not _is_url(self.name):
            return pa.OSFile(self.name)
        file_system, path = _file_system(self.name)
        return file_system.open(path, "rb")


AnyPath = str | os.PathLike[str] | File


def find_files(paths: AnyPath | Iterable[AnyPath], suffixes: tuple[str, ...]) -> tuple[File, ...]:
    """Every file named, in natural order of their names within each glob or folder.

    A folder stands for the files in and below it that have one of the suffixes, without those
    whose name, or whose folder's name, begins with ``.`` or ``_``; a glob that matches no file
    but folders, for those of all.
    """
    if isinstance(paths, str | os.PathLike | File):
        paths = [paths]
    files = tuple(file for path in paths for file in _expand(path, suffixes))
    if not files:
        raise FileError("The list of files is empty: name at least one.")
    return files


def fingerprint(files: Iterable[File]) -> str:
    """A hash of names, sizes and versions; the same wherever their folder stands."""
    signs = [(file.below, file.n_bytes, file.version) for file in files]
    return sha256(repr(signs).encode()).hexdigest()


def common_columns(
    files: Sequence[File], columns_of: Callable[[File], tuple[Column, ...]]
) -> tuple[Column, ...]:
    """The columns of all files, in the order of the first; SchemaError where they differ."""
    columns = columns_of(files[0])
    expected = _types(columns, files[0])
    for file in files[1:]:
        found = _types(columns_of(file), file)
        for name in {**expected, **found}:
            if expected.get(name) != found.get(name):
                raise SchemaError(
                    f"Column {name!r} is {found.get(name, 'absent')} in {file.name}, but "
                    f"{expected.get(name, 'absent')} in {files[0].name}. Files of one dataset "
                    "have the same columns: write them alike, or open them apart."
                )
    return columns


def _types(columns: Sequence[Column], file: File) -> dict[str, str]:
    """Types by name of the columns of a file; SchemaError where two have one name."""
    types: dict[str, str] = {}
    for column in columns:
        if column.name in types:
            raise SchemaError(
                f"Columns with the same name: {column.name!r} in {file.name}. Rename them."
            )
        types[column.name] = str(column.dtype)
    return types


def check_apart(path: str | os.PathLike[str], files: Iterable[str]) -> None:
    """Raise FileError if a file at `path` would take the place of one of those that are read."""
    path = Path(path)
    if path.exists() and any(Path(file).exists() and path.samefile(file) for file in files):
        raise FileError(f"{path} is a file that is read: write to another.")


def lay_cells(
    files: Sequence[File], lengths_of: Callable[[File], Iterable[int]]
) -> tuple[Cell, ...]:
    """The grid of files that each are cut into runs of rows of the given lengths.

    The address of a cell is the number of its file and of its run in the file.
    """
    cells: list[Cell] = []
    first_row = 0
    for number, file in enumerate(files):
        first_row_in_file = 0
        for run, n_rows in enumerate(lengths_of(file)):
            if n_rows:
                place = (first_row, n_rows, file.name, first_row_in_file, (number, run))
                cells.append(Cell(len(cells), *place))
            first_row += n_rows
            first_row_in_file += n_rows
    return tuple(cells)


def natural_order(name: str) -> list[tuple[bool, int, str]]:
    """Sort key by which ``part-10`` comes after ``part-9``."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _is_url(name: str) -> bool:
    return "://" in name


def _name(path: str | os.PathLike[str]) -> str:
    """Absolute path, or URL."""
    name = os.fspath(path)
    if name.startswith("file://"):
        name = unquote(name.removeprefix("file://"))
    return name if _is_url(name) else str(Path(name).expanduser().absolute())


def _expand(path: AnyPath, suffixes: tuple[str, ...]) -> list[File]:
    """The files that one path, glob, folder or URL stands for."""
    if isinstance(path, File):
        return [path]
    name = _name(path)
    file_system, place = _file_system(name)
    if file_system.isfile(place):
        return [File.at(name)]
    if file_system.isdir(place):
        root = place
        found = _data_below(file_system, place, suffixes)
        if not found:
            raise FileError(f"No {', '.join(suffixes)} file in the folder {name}.")
    elif wildcard := re.search(r"[*?\[]", place):
        root = place[: wildcard.start()].rpartition("/")[0]
        matches = file_system.glob(place)
        found = [match for match in matches if file_system.isfile(match)] or [
            file for match in matches for file in _data_below(file_system, match, suffixes)
        ]
        if not found:
            raise FileError(f"No file matches {name}.")
    else:
        raise FileError(f"No such file or folder: {name}.")
    full_name = file_system.unstrip_protocol if _is_url(name) else str
    return [
        File.at(full_name(file), file.removeprefix(root).strip("/"))
        for file in sorted(found, key=natural_order)
    ]


def _data_below(file_system: Any, folder: str, suffixes: tuple[str, ...]) -> list[str]:
    """The files in and below a folder that hold data."""
    found = file_system.find(folder, detail=True).items()
    # To open a pipe would wait for somebody to write to it.
    there = [file for file, info in found if info["type"] != "other" or info.get("islink")]
    return [file for file in there if _is_data(file, folder, suffixes)]


def _is_data(file: str, folder: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file below `folder` holds data, by its suffix and the names on the way."""
    parts = file.removeprefix(folder).strip("/").split("/")
    return file.lower().endswith(suffixes) and not any(part[0] in "._" for part in parts)


def _size_and_version(name: str) -> tuple[int, str]:
    try:
        if not _is_url(name):
            status = Path(name).stat()
            return status.st_size, str(status.st_mtime_ns)
        file_system, path = _file_system(name)
        info = file_system.info(path)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"Cannot look at {name}: {_first_line(error)}.") from error
    signs = ("ETag", "etag", "LastModified", "last_modified", "mtime", "created")
    return int(info["size"]), str([info[sign] for sign in signs if sign in info])


def _file_system(name: str) -> tuple[Any, str]:
    """The file system of a path or URL, and what the place is called there."""
    try:
        file_system, place = url_to_fs(name)
    except (ImportError, OSError, ValueError) as error:  # No library or archive, or no such system.
        raise FileError(f"Cannot look at {name}: {_first_line(error)}.") from error
    return file_system, place


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
