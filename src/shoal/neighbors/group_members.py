"""The rows of a dataset by group, in memory or on disk."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.row_storage import RowArrays, RowFile, RowStorage
from shoal.engines.local import LocalEngine
from shoal.neighbors.index import local_engine
from shoal.statistics.row_groups import RowGroups

#: Rows of files that take no more of the engine's memory than this are grouped there.
_MEMORY_SHARE = 1 / 4

#: What share of it rows may take that wait to be written, an eighth of what plans leave to what
#: they do not see, and no more than these bytes.
_WAITING_SHARE = 1 / 64
_WAITING_BYTES = 64 * 2**20

#: Of sparse rows that are made dense at a time.
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

    @property
    def group_bytes(self) -> int:
        """What the rows of a group take, on the average."""
        return self.storage.row_bytes * self.storage.n_rows // (len(self.storage.starts) - 1)

    def expect(self, group: int) -> None:
        """Have a group read ahead."""
        self.storage.expect(group)

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
        places = block.row_numbers + first_place
        for part, rows in _dense_parts(block):
            storage.append(found[part], rows, places[part])
    if isinstance(storage, RowFile):
        engine.release(dataset)
    return GroupMembers(storage, dataset.n_rows), extents.radii


def _storage(dataset: Dataset, starts: Int64Array, engine: LocalEngine) -> RowStorage:
    """Room for rows: in memory where they are anyway, or are few."""
    n_bytes = int(starts[-1]) * dataset.n_features * dataset.dtype.itemsize
    is_small = n_bytes <= engine.memory_bytes * _MEMORY_SHARE
    if dataset.source.in_process or is_small:
        return RowArrays(starts, dataset.n_features, dataset.dtype)
    waiting_bytes = min(int(engine.memory_bytes * _WAITING_SHARE), _WAITING_BYTES)
    return RowFile(starts, dataset.n_features, dataset.dtype, waiting_bytes=waiting_bytes)


def _dense_parts(block: Block) -> Iterator[tuple[slice, AnyArray]]:
    """Which rows of a block, and these, dense: a few at a time of a sparse one."""
    if isinstance(block.X, np.ndarray):
        yield slice(None), block.X
        return
    step = max(64, _STRIP_BYTES // (block.X.dtype.itemsize * block.X.shape[1]))
    for start in range(0, block.n_rows, step):
        part = slice(start, start + step)
        yield part, block.X[part].toarray()
