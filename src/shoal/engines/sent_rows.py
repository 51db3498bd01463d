"""Rows that live in the driver: what of them workers need, on the way and there.

They have names of their own. What is derived from the same rows (another target, other weights,
another type) finds them on the workers, wherever it comes from.
"""

import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import numpy as np
from scipy import sparse

from shoal._typing import AnyArray, Rows
from shoal.data.arrays import CELL_ROWS, grid, matrix_of, take_columns
from shoal.data.dataset import Dataset
from shoal.data.source import Cell, Column, Source
from shoal.data.windows import length, rows_between, whole_windows

#: Rows are sent in messages of about this size, so that copies on their way stay small.
_MESSAGE_BYTES = 32 << 20

_ROLES = ("target", "sample_weight")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some consecutive rows on their way to a worker.

    Parameters
    ----------
    cell : int
        Index of the cell that they are of.
    first_row : int
    rows : ndarray, csr_array or list of 1-D arrays
    """

    cell: int
    first_row: int
    rows: Rows

    @property
    def n_bytes(self) -> int:
        rows: Any = self.rows
        if sparse.issparse(rows):
            rows = [rows.data, rows.indices, rows.indptr]
        return sum(part.nbytes for part in (rows if isinstance(rows, list) else [rows]))


class SentRows(Source):
    """Columns of a source in the driver, as far as they have been sent.

    Parameters
    ----------
    source : Source
        The one in the driver.
    sent : tuple of int
        Positions of the columns that are sent: no others can be read.
    """

    def __init__(self, source: Source, sent: tuple[int, ...]) -> None:
        self.in_memory, self.is_sparse = source.in_memory, source.is_sparse
        self.density = source.density
        self._columns, self._sent = source.columns, sent
        self._cells = tuple(source.cells())
        self._name = uuid4().hex
        self._pieces: dict[int, dict[int, Piece]] = {}

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._columns

    @property
    def n_bytes(self) -> int:
        """Memory of what has come."""
        pieces = [piece for of_cell in list(self._pieces.values()) for piece in of_cell.values()]
        return sum(piece.n_bytes for piece in pieces)

    def cells(self) -> Sequence[Cell]:
        return self._cells

    def put(self, piece: Piece) -> None:
        """Add rows to those of their cell, which come in order."""
        self._pieces.setdefault(piece.cell, {})[piece.first_row] = piece

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        positions = [self._sent.index(column) for column in columns]
        for piece in self._pieces[cell.index].values():
            n_rows = length(piece.rows)
            for start in range(0, n_rows, max_rows):
                rows = rows_between(piece.rows, start, min(start + max_rows, n_rows))
                if isinstance(rows, list):
                    yield [rows[position] for position in positions]
                else:
                    yield take_columns(rows, positions)

    def fingerprint(self) -> str:
        # The driver has hashed the values, where anybody asked for it.
        return self._name


class SentValues:
    """A target or weights given as an array, as far as they have been sent.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = shape, dtype
        self._values: AnyArray | None = None
        self._came: dict[int, int] = {}

    @property
    def n_bytes(self) -> int:
        """Memory of what has come."""
        return sum(list(self._came.values()))

    @property
    def values(self) -> AnyArray:
        """All values; what has not come yet is 0."""
        if self._values is None:
            # Pages of an empty array that are never touched take no memory, so row numbers can be
            # those of the whole dataset.
            self._values = np.zeros(self._shape, self._dtype)
        return self._values

    def put(self, piece: Piece) -> None:
        """Put values where they belong."""
        self.values[piece.first_row : piece.first_row + length(piece.rows)] = piece.rows
        self._came[piece.cell] = piece.n_bytes


class DriverRows(ABC):
    """Rows in the memory of the driver that workers need for a dataset.

    Attributes
    ----------
    name : str
    """

    name: str

    @abstractmethod
    def cells(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        """What is to be sent for these cells of the dataset, in cells of the rows themselves."""

    @abstractmethod
    def read(self, cell: Cell) -> Iterator[Rows]:
        """The rows of one of these, in order, in pieces of bounded size."""

    @abstractmethod
    def empty(self) -> SentRows | SentValues:
        """What a worker puts them in."""


@dataclass(frozen=True, slots=True)
class SourceColumns(DriverRows):
    """Columns of the source that a dataset reads from."""

    name: str
    source: Source
    columns: tuple[int, ...]
    window_rows: int

    def cells(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        return [root_cell for cell in cells for root_cell in self.source.root_cells(cell)]

    def read(self, cell: Cell) -> Iterator[Rows]:
        root = self.source.root
        row_bytes = sum(root.columns[position].dtype.itemsize for position in self.columns)
        most = _MESSAGE_BYTES // max(1, round(row_bytes * root.density))
        for rows in root.read(cell, self.columns, whole_windows(most, self.window_rows)):
            yield _contiguous(rows)

    def empty(self) -> SentRows:
        return SentRows(self.source.root, self.columns)


@dataclass(frozen=True, slots=True)
class RoleValues(DriverRows):
    """A target or weights that were given as an array; cells are equal runs of its rows."""

    name: str
    values: AnyArray

    def cells(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        runs = grid(len(self.values), "array")
        needed = {
            run
            for cell in cells
            for run in range(
                cell.first_row // CELL_ROWS, -(-(cell.first_row + cell.n_rows) // CELL_ROWS)
            )
        }
        return [runs[run] for run in sorted(needed)]

    def read(self, cell: Cell) -> Iterator[Rows]:
        yield self.values[cell.first_row : cell.first_row + cell.n_rows]

    def empty(self) -> SentValues:
        return SentValues(self.values.shape, self.values.dtype)


def messages(rows: DriverRows, cells: Sequence[Cell]) -> Iterator[list[Piece]]:
    """These cells of `rows`, in messages of bounded size."""
    message: list[Piece] = []
    n_bytes = 0
    for piece in _pieces(rows, cells):
        message.append(piece)
        n_bytes += piece.n_bytes
        if n_bytes >= _MESSAGE_BYTES:
            yield message
            message, n_bytes = [], 0
    if message:
        yield message


def _pieces(rows: DriverRows, cells: Sequence[Cell]) -> Iterator[Piece]:
    for cell in cells:
        first_row = cell.first_row
        for part in rows.read(cell):
            yield Piece(cell.index, first_row, part)
            first_row += length(part)


def _contiguous(rows: Rows) -> Rows:
    """The rows without gaps, as only such memory is sent without a copy; columns as a matrix."""
    if isinstance(rows, list):
        matrix = matrix_of(rows)
        return rows if matrix is None else matrix.copy(order="F")
    if sparse.issparse(rows) or rows.flags.c_contiguous or rows.flags.f_contiguous:
        return rows
    # Pickled, a slice of a Fortran array would lie in C order.
    return rows.copy(order="K")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A dataset on its way to a worker, without the rows that live in the driver.

    Parameters
    ----------
    dataset : Dataset
    cells : tuple of Cell
        Its grid.
    names : dict of str
        What the rows are called that live in the driver, by role: ``"source"``, ``"target"``,
        ``"sample_weight"``.
    empty : dict of SentRows or SentValues
        What to put them in, by role.
    """

    dataset: Dataset
    cells: tuple[Cell, ...]
    names: dict[str, str]
    empty: dict[str, SentRows | SentValues]

    @classmethod
    def of(cls, dataset: Dataset, needed: Mapping[str, DriverRows]) -> "Recipe":
        """What a worker has to know of `dataset`, a few kilobytes."""
        names = {role: rows.name for role, rows in needed.items()}
        empty = {role: rows.empty() for role, rows in needed.items()}
        without: dict[str, Any] = {
            role: dataset.source.over(rows) if isinstance(rows, SentRows) else None
            for role, rows in empty.items()
        }
        return cls(replace(dataset, **without), dataset.cells, names, empty)

    def filled(self, rows: Mapping[str, "SentRows | SentValues"]) -> Dataset:
        """The dataset over rows, by name, that have been sent or are yet to come."""
        roles: dict[str, Any] = {}
        for role, name in self.names.items():
            sent = rows[name]
            if isinstance(sent, SentRows):
                roles[role] = self.dataset.source.over(sent)
            else:
                roles[role] = sent.values
        return replace(self.dataset, **roles)


@dataclass(eq=False, slots=True)
class _Named:
    """Names of what belongs to one source."""

    columns: dict[tuple[int, ...], str] = field(default_factory=dict)
    arrays: dict[int, tuple["weakref.ref[AnyArray]", str]] = field(default_factory=dict)


class RowNames:
    """What rows of the driver are called, as long as they live."""

    def __init__(self) -> None:
        self._named: WeakKeyDictionary[Source, _Named] = WeakKeyDictionary()

    def needed(self, dataset: Dataset) -> dict[str, DriverRows]:
        """The rows in this process that workers need for `dataset`, by role."""
        root = dataset.source.root
        named = self._named.setdefault(root, _Named())
        needed: dict[str, DriverRows] = {}
        if root.in_process:
            columns = _set_with(named.columns, dataset.columns_read)
            name = named.columns.setdefault(columns, uuid4().hex)
            needed["source"] = SourceColumns(name, dataset.source, columns, dataset.window_rows)
        for role in _ROLES:
            values = getattr(dataset, role)
            if isinstance(values, np.ndarray):
                needed[role] = RoleValues(_array_name(named.arrays, values), values)
        return needed

    def of(self, source: Source) -> set[str]:
        """The names of all rows that go with a source, and still live."""
        named = self._named.get(source.root, _Named())
        arrays = {name for array, name in named.arrays.values() if array() is not None}
        return arrays.union(named.columns.values())


def _set_with(known: Mapping[tuple[int, ...], str], columns: tuple[int, ...]) -> tuple[int, ...]:
    """The columns with which these are sent: known ones that include them, else these alone."""
    distinct = tuple(dict.fromkeys(columns))
    return next((others for others in known if set(distinct) <= set(others)), distinct)


def _array_name(known: dict[int, tuple["weakref.ref[AnyArray]", str]], array: AnyArray) -> str:
    """The name of this very array; another one may have its address once it is gone."""
    for place in [place for place, (other, _) in known.items() if other() is None]:
        del known[place]
    return known.setdefault(id(array), (weakref.ref(array), uuid4().hex))[1]
