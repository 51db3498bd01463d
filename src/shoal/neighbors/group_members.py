"""The rows of a dataset by group, in memory or on disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int32Array, Int64Array
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.row_storage import RowArrays, RowFile, RowStorage
from shoal.engines.local import LocalEngine
from shoal.neighbors.index import local_engine
from shoal.statistics.row_groups import RowGroups

#: Rows of files that take no more of the engine's memory than this are grouped there.
_MEMORY_SHARE = 1 / 4

#: Of rows that are copied together on their way to their groups.
_STRIP_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class GroupMembers:
    """The rows of one dataset, group by group.

    Parameters
    ----------
    storage : RowStorage
        A run of rows for each group, numbered by place.
    n_places : int
        Places of the dataset, dropped rows included.
    """

    storage: RowStorage
    n_places: int

    @property
    def is_on_disk(self) -> bool:
        return isinstance(self.storage, RowFile)

    def read(self, group: int) -> Iterator[tuple[AnyArray, Int64Array]]:
        """The rows of a group and their places, strip by strip."""
        start, stop = self.storage.starts[group : group + 2]
        if start < stop:
            yield from self.storage.read(group)


def members_of(
    dataset: Dataset, centers: AnyArray, first_place: int
) -> tuple[GroupMembers, Float64Array]:
    """The rows of `dataset`, each in the group of its nearest centre, and the radii of groups.

    Two passes: one says how many rows each group has, the other puts them there.

    Parameters
    ----------
    dataset : Dataset
    centers : ndarray of shape (n_groups, n_features)
        Of the type of the dataset.
    first_place : int
        Place of the first row.
    """
    engine = local_engine()
    groups = RowGroups(centers)
    extents = engine.fold(dataset, groups)
    starts = np.concatenate([[0], np.cumsum(extents.counts)])
    storage = _storage(dataset, starts, engine)
    for block, found in engine.map_blocks(dataset, groups.groups_of):
        _put(storage, block, found, first_place)
    if isinstance(storage, RowFile):
        engine.release(dataset)
    return GroupMembers(storage, dataset.n_rows), extents.radii


def _storage(dataset: Dataset, starts: Int64Array, engine: LocalEngine) -> RowStorage:
    """Room for rows: in memory where they are anyway, or are few."""
    n_bytes = int(starts[-1]) * dataset.n_features * dataset.dtype.itemsize
    is_small = n_bytes <= engine.memory_bytes * _MEMORY_SHARE
    kind = RowArrays if dataset.source.in_process or is_small else RowFile
    return kind(starts, dataset.n_features, dataset.dtype)


def _put(
    storage: RowStorage,
    block: Block,
    groups: Int32Array,
    first_place: int,
) -> None:
    """Put the rows of a block behind those that their groups have already."""
    places = block.row_numbers + first_place
    for which in _strips(block, groups):
        rows = block.X[which]
        dense = rows if isinstance(rows, np.ndarray) else rows.toarray()
        here, numbers = groups[which], places[which]
        edges = [0, *(np.flatnonzero(np.diff(here)) + 1).tolist(), len(which)]
        for start, stop in pairwise(edges):
            storage.append(int(here[start]), dense[start:stop], numbers[start:stop])


def _strips(block: Block, groups: Int32Array) -> Iterator[Int64Array]:
    """Rows of a block by group, those of a group in order, a few at a time."""
    # Short integers are sorted by counting.
    order = np.argsort(groups.astype(np.min_scalar_type(groups.max())), kind="stable")
    step = max(64, _STRIP_BYTES // (8 * block.X.shape[1]))
    for start in range(0, len(order), step):
        yield order[start : start + step]
