"""Groups of cells that go to one worker whole."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from itertools import groupby

from shoal._typing import Rows
from shoal.data.derived_source import DerivedSource
from shoal.data.source import Cell, Source


class GroupedSource(DerivedSource):
    """The rows of another source; a cell is a run of its cells, of about equal rows.

    Parameters
    ----------
    origin : Source
    n_groups : int
        Cells that are wanted; there are fewer where the origin has fewer, or uneven ones.
    """

    def __init__(self, origin: Source, n_groups: int) -> None:
        super().__init__(origin)
        self._n_groups = n_groups
        self.in_memory = origin.in_memory

    def cells(self) -> Sequence[Cell]:
        return [
            Cell(
                index,
                group[0].first_row,
                sum(cell.n_rows for cell in group),
                _files(group),
                group[0].first_row_in_file,
            )
            for index, group in enumerate(self._groups)
        ]

    def origin_cells(self, cell: Cell) -> Sequence[Cell]:
        return self._groups[cell.index]

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        for member in self._groups[cell.index]:
            yield from self._origin.read(member, columns, max_rows)

    def is_at_hand(self, cells: Sequence[Cell]) -> bool:
        return all(self._origin.is_at_hand(self._groups[cell.index]) for cell in cells)

    def fingerprint(self) -> str:
        return sha256(f"{self._origin.fingerprint()} in {self._n_groups}".encode()).hexdigest()

    @cached_property
    def _groups(self) -> list[list[Cell]]:
        """The origin's cells; one belongs to the group in whose equal share its middle lies."""
        cells = self._origin.cells()
        n_rows = sum(cell.n_rows for cell in cells)

        def share(cell: Cell) -> int:
            return (2 * cell.first_row + cell.n_rows) * self._n_groups // (2 * n_rows)

        return [list(group) for _, group in groupby(cells, share)]


def _files(group: Sequence[Cell]) -> str:
    """Name of the file of a group, whose rows may go on in others."""
    first, last = group[0].file, group[-1].file
    return first if first == last else f"{first} and on"
