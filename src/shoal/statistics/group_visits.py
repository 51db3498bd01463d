"""Which queries look at the rows of which groups, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from shoal._typing import AnyArray, Int32Array, Int64Array
from shoal.data.block import Block
from shoal.statistics.metric import row_strips
from shoal.statistics.row_groups import RowGroups

#: What stands beside a block: its rows by group.
_BESIDE = "group_visits"

#: Fewer rows of a block are not worth keeping anything beside it for.
_FEW_ROWS = 4096


class Look(NamedTuple):
    """Some rows of one group, for the queries that look at them.

    Attributes
    ----------
    queries : ndarray of shape (n_looking,), int32
        Numbers of the queries, ascending.
    rows : ndarray of shape (n_rows, n_features)
        Dense, each row contiguous.
    numbers : ndarray of shape (n_rows,), int64
        Of the rows, ascending; -1 of rows that were removed.
    """

    queries: Int32Array
    rows: AnyArray
    numbers: Int64Array


class _ByGroup(NamedTuple):
    """The rows of a block group by group: positions, and where in these each group begins."""

    token: str
    positions: Int32Array
    starts: Int32Array


@dataclass(frozen=True, slots=True, eq=False)
class GroupVisits:
    """Which queries look at the rows of which groups.

    Rows are sorted by group when a block is first met; their order, 4 bytes a row, stands beside
    the block from then on. Where there is no room for it, or it was lost with a worker, it is
    found again: that costs as much as comparing the rows with `n_groups` queries.

    Parameters
    ----------
    groups : RowGroups
        Its centres are of the type of the data.
    starts : ndarray of shape (n_groups + 1,), int64
        Where in `queries` each group begins.
    queries : ndarray of shape (n_visits,), int32
        Numbers of the queries that look at each group, ascending within it.
    """

    groups: RowGroups
    starts: Int64Array
    queries: Int32Array

    @property
    def beside_row_bytes(self) -> int:
        of_block = np.dtype(np.int32).itemsize * (len(self.starts) + 1)
        return self.groups.beside_row_bytes + -(-of_block // _FEW_ROWS)

    def looks(self, block: Block, removed: Int64Array) -> Iterator[Look]:
        """What there is to look at in a block, group by group, a bounded number of rows at a time.

        Rows whose numbers are in `removed`, which is sorted, are numbered -1.
        """
        by_group, numbers = self._by_group(block), block.row_numbers
        is_wanted = (np.diff(self.starts) > 0) & (np.diff(by_group.starts) > 0)
        for group in np.flatnonzero(is_wanted).tolist():
            here = by_group.positions[slice(*by_group.starts[group : group + 2])]
            queries = self.queries[slice(*self.starts[group : group + 2])]
            of_group = replace(block, X=block.X[here], rows=numbers[here])
            for strip in row_strips(of_group, removed):
                yield Look(queries, *strip)

    def _by_group(self, block: Block) -> _ByGroup:
        found: _ByGroup | None = block.beside.get(_BESIDE)
        if found is None or found.token != self.groups.token:
            groups = self.groups.groups_of(block)
            counts = np.bincount(groups, minlength=len(self.starts) - 1)
            found = block.beside[_BESIDE] = _ByGroup(
                self.groups.token,
                np.argsort(groups, kind="stable").astype(np.int32),
                np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
            )
        return found
