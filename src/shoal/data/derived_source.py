"""Sources whose rows are those of another source."""

from abc import abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import Self

from shoal.data.source import Cell, Column, Source


class DerivedSource(Source):
    """Rows of another source, in cells of its own.

    Parameters
    ----------
    origin : Source
    """

    def __init__(self, origin: Source) -> None:
        self._origin = origin
        self.in_process = origin.in_process
        self.is_sparse, self.density = origin.is_sparse, origin.density

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._origin.columns

    def reader_bytes(self, columns: Sequence[int]) -> int:
        return self._origin.reader_bytes(columns)

    @property
    def root(self) -> Source:
        return self._origin.root

    def root_cells(self, cell: Cell) -> Sequence[Cell]:
        return [
            root_cell
            for origin_cell in self.origin_cells(cell)
            for root_cell in self._origin.root_cells(origin_cell)
        ]

    def over(self, root: Source) -> Self:
        moved = copy(self)
        moved._origin = self._origin.over(root)
        return moved

    @abstractmethod
    def origin_cells(self, cell: Cell) -> Sequence[Cell]:
        """The cells of the origin that the rows of a cell are read from."""
