"""Where rows come from: the seam that every kind of input implements."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal._typing import Rows


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a source.

    Parameters
    ----------
    name : str
        The name in the file or frame; ``"x0"``, ``"x1"``, ... where the source has none.
    dtype : numpy.dtype
        What the values decode to: a float, integer or boolean type, or ``object`` for anything
        that is not a number (such a column can be a target, not a feature).
    """

    name: str
    dtype: np.dtype[Any]

    @property
    def is_numeric(self) -> bool:
        return self.dtype.kind in "fiub"


@dataclass(frozen=True, slots=True)
class Cell:
    """A run of consecutive rows on the grid that the source lays, read independently of others.

    The grid depends on the source alone, never on an engine or a budget.

    Parameters
    ----------
    index : int
        Position in ``Source.cells()``.
    first_row, n_rows : int
        Where the rows stand in the whole dataset, counted from 0.
    file : str
        Name for messages: a path or URL, or the kind of an in-memory source.
    first_row_in_file : int
        Number of the first row within ``file``, counted from 0.
    address : tuple of int
        What the source needs to find the rows again, such as (file number, row group).
    """

    index: int
    first_row: int
    n_rows: int
    file: str
    first_row_in_file: int
    address: tuple[int, ...] = ()


class Source(ABC):
    """A recipe for rows.

    A source is small, immutable and picklable: it says where rows are, it does not hold a file
    open. Sources over data that live in this process (arrays, frames) hold those by reference.
    Implementations pass ``shoal.testing.check_source``.
    """

    #: Whether ``read`` costs no more than a view: such rows are never cached or read ahead.
    in_memory: bool = False

    #: Whether all rows live in this process: then so may a label for each.
    in_process: bool = False

    #: Whether ``read`` hands over sparse matrices.
    is_sparse: bool = False

    #: Share of the values that are stored, of sparse matrices.
    density: float = 1.0

    @property
    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """The columns, in order, with unique names."""

    @abstractmethod
    def cells(self) -> Sequence[Cell]:
        """The grid: all rows, in order, without gaps; cells without rows are left out."""

    @abstractmethod
    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        """The rows of one cell, in order, in pieces of at most `max_rows` rows.

        Parameters
        ----------
        cell : Cell
            One of ``cells()``.
        columns : sequence of int
            Positions in ``self.columns``.
        max_rows : int
            Bound on the rows of a piece, and so on the memory of a streaming reader.

        Yields
        ------
        rows : ndarray of shape (n, len(columns)), scipy.sparse.csr_array of the same shape, or \
                list of 1-D arrays
            A list holds one array a column. Missing values of numeric columns are NaN (integer
            columns that have some arrive as float64); of object columns, None.

        Raises
        ------
        CorruptFileError
            The file is truncated or damaged.
        FileChangedError
            The file is gone or is not the one that was opened.
        """

    @property
    def root(self) -> "Source":
        """The source that reads: another one where this one only arranges its rows."""
        return self

    def root_cells(self, cell: Cell) -> Sequence[Cell]:
        """The cells of ``root`` that the rows of a cell are read from."""
        return [cell]

    def over(self, root: "Source") -> "Source":
        """The same source, but reading from `root`, which has the columns and cells of its own."""
        return root

    def is_at_hand(self, cells: Sequence[Cell]) -> bool:
        """Whether reading these cells, in this process and now, costs no more than a view."""
        return self.in_memory

    def reader_bytes(self, columns: Sequence[int]) -> int:
        """Memory that ``read`` takes at a time besides the rows it hands over.

        Such as the pages and dictionaries of a file format. Plans count it once for each cell
        that is read at a time.
        """
        return 0

    @abstractmethod
    def fingerprint(self) -> str:
        """A short text that changes when the rows may have changed.

        Files: names, sizes and modification times. In-memory data: a hash of the values.
        Checkpoints are refused where it differs.
        """
