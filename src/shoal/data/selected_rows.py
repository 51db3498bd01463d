"""Some of the rows of a source."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256

import numpy as np

from shoal._typing import AnyArray, Rows
from shoal.data.derived_source import DerivedSource
from shoal.data.source import Cell, Source
from shoal.data.windows import length


class SelectedRows(DerivedSource):
    """The rows of another source that a mask selects, in their order; its cells are kept.

    Parameters
    ----------
    origin : Source
    selected : ndarray of shape (n_rows,), bool
        Of each row of the origin, whether it is selected.
    """

    def __init__(self, origin: Source, selected: AnyArray) -> None:
        # Not in_memory: what is read is a copy.
        super().__init__(origin)
        self._selected = selected

    def cells(self) -> Sequence[Cell]:
        return [cell for cell, _ in self._cells]

    def origin_cells(self, cell: Cell) -> Sequence[Cell]:
        return [self._cells[cell.index][1]]

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        _, whole = self._cells[cell.index]
        first = whole.first_row
        for rows in self._origin.read(whole, columns, max_rows):
            n_rows = length(rows)
            which = np.flatnonzero(self._selected[first : first + n_rows])
            first += n_rows
            if len(which):
                yield [c[which] for c in rows] if isinstance(rows, list) else rows[which]

    def fingerprint(self) -> str:
        digest = sha256(self._origin.fingerprint().encode())
        digest.update(np.packbits(self._selected).tobytes())
        return digest.hexdigest()

    @cached_property
    def _cells(self) -> list[tuple[Cell, Cell]]:
        """Cells with selected rows, and those of the origin that they are of."""
        pairs: list[tuple[Cell, Cell]] = []
        first_row = 0
        for whole in self._origin.cells():
            here = self._selected[whole.first_row : whole.first_row + whole.n_rows]
            n_rows = int(np.count_nonzero(here))
            if n_rows:
                file = f"the selected rows of {whole.file}"
                pairs.append((Cell(len(pairs), first_row, n_rows, file, first_row), whole))
                first_row += n_rows
        return pairs
