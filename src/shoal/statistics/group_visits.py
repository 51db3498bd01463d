"""Which queries look at the rows of which groups, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int32Array, Int64Array
from shoal.data.block import Block
from shoal.statistics.metric import row_strips
from shoal.statistics.row_groups import RowGroups

#: What stands beside a block: its rows by group.
_BESIDE = "group_visits"

#: What a block keeps of each group is spread over so many rows; shorter ones have fewer groups.
_BLOCK_ROWS = 4096


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
    middle : ndarray of shape (n_features,), float64
        About the middle of rows and queries: the centre of the group.
    """

    queries: Int32Array
    rows: AnyArray
    numbers: Int64Array
    middle: Float64Array


class _ByGroup(NamedTuple):
    """The rows of a block group by group.

    Which groups these are, ascending; positions in the block, and where each group's begin; of
    shapes (n_present,), (n_rows,) and (n_present + 1,).
    """

    token: str
    groups: Int32Array
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
        of_groups = 2 * np.dtype(np.int32).itemsize * len(self.starts)
        return self.groups.beside_row_bytes + -(-of_groups // _BLOCK_ROWS)

    def looks(self, block: Block, removed: Int64Array) -> Iterator[Look]:
        """What there is to look at in a block, group by group, a bounded number of rows at a time.

        Rows whose numbers are in `removed`, which is sorted, are numbered -1.
        """
        here, numbers = self._by_group(block), block.row_numbers
        is_wanted = np.diff(self.starts)[here.groups] > 0
        for place in np.flatnonzero(is_wanted).tolist():
            group = int(here.groups[place])
            positions = here.positions[slice(*here.starts[place : place + 2])]
            queries = self.queries[slice(*self.starts[group : group + 2])]
            of_group = replace(block, X=block.X[positions], rows=numbers[positions])
            middle = self.groups.centers[group].astype(np.float64)
            for strip in row_strips(of_group, removed):
                yield Look(queries, *strip, middle)

    def _by_group(self, block: Block) -> _ByGroup:
        """The rows of a block by group, from beside it or found and put there."""
        found: _ByGroup | None = block.beside.get(_BESIDE)
        if found is None or found.token != self.groups.token:
            groups = self.groups.groups_of(block)
            counts = np.bincount(groups)
            present = np.flatnonzero(counts)
            found = block.beside[_BESIDE] = _ByGroup(
                self.groups.token,
                present.astype(np.int32),
                np.argsort(groups, kind="stable").astype(np.int32),
                np.concatenate([[0], np.cumsum(counts[present])]).astype(np.int32),
            )
        return found
