"""Rows in the groups of their nearest centres: how many, and how far they reach."""

from dataclasses import dataclass, field
from uuid import uuid4

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int32Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.statistics.nearest_center import nearest_center
from shoal.statistics.nearest_rows import middle

#: What stands beside a block: whose groups, and the group of each row.
_BESIDE = "groups"


@dataclass(frozen=True, slots=True)
class Extents:
    """Groups of rows.

    Attributes
    ----------
    counts : ndarray of shape (n_groups,), int64
        Rows of each group.
    radii : ndarray of shape (n_groups,), float64
        Distance from the centre to the farthest row; -inf of groups without rows.
    """

    counts: Int64Array
    radii: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class RowGroups(Statistic[Extents, Extents]):
    """How many rows are nearest to each centre, ties to the first, and how far from it at most.

    One pass; memory of 16 bytes a group and thread. The group of each row is kept beside its
    block where there is room, for `groups_of` in the next pass.

    Parameters
    ----------
    centers : ndarray of shape (n_groups, n_features), C-contiguous
        Of the type of the data.
    token : str, default=None
        Names these groups, so that what stands beside blocks is not taken for others'.
    """

    centers: AnyArray
    token: str = field(default_factory=lambda: uuid4().hex)

    @property
    def beside_row_bytes(self) -> int:
        return np.dtype(np.int32).itemsize

    def zero(self) -> Extents:
        n_groups = len(self.centers)
        return Extents(np.zeros(n_groups, dtype=np.int64), np.full(n_groups, -np.inf))

    def update(self, partial: Extents, block: Block) -> Extents:
        groups, distances = nearest_center(block.X, self.centers, middle(self.centers))
        block.beside[_BESIDE] = self.token, groups
        np.maximum.at(partial.radii, groups, np.sqrt(distances))
        return self.merge(partial, Extents(self._counts(groups), partial.radii))

    def merge(self, partial: Extents, other: Extents) -> Extents:
        return Extents(partial.counts + other.counts, np.maximum(partial.radii, other.radii))

    def result(self, partial: Extents) -> Extents:
        return partial

    def groups_of(self, block: Block) -> Int32Array:
        """The group of each row."""
        token, groups = block.beside.pop(_BESIDE, (None, None))
        if token != self.token:
            groups, _ = nearest_center(block.X, self.centers, middle(self.centers))
        found: Int32Array = groups
        return found

    def _counts(self, groups: Int32Array) -> Int64Array:
        return np.bincount(groups, minlength=len(self.centers))
