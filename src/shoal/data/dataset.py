"""A dataset: a recipe for blocks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shoal._typing import AnyArray, Float64Array
from shoal.data import plan as planning
from shoal.data.block import Block
from shoal.data.groups import GroupedSource
from shoal.data.rows import BlockReader
from shoal.data.selected_rows import SelectedRows
from shoal.data.source import Cell, Source
from shoal.data.target_classes import TargetClasses


@dataclass(frozen=True, eq=False)
class Dataset:
    """Where rows come from and which columns play which role.

    A dataset is a recipe: making one reads names and types, never rows. `open_dataset` makes
    them; engines turn them into blocks.

    Parameters
    ----------
    source : Source
        Where rows come from.
    features : tuple of int
        Positions in ``source.columns`` of the features, in order.
    target : int or ndarray of shape (n_rows,) or (n_rows, n_outputs), default=None
        Position of the target's column, or its values.
    sample_weight : int or ndarray of shape (n_rows,), default=None
        Position of the weights' column, or their values.
    dtype : numpy.dtype
        float32 or float64: what features are decoded to.
    missing : {"error", "drop"}, default="error"
        What happens at a row with a missing feature, target or weight.
    unit_rows : bool, default=False
        Whether each row is divided by its euclidean norm as it is read.
    classes : TargetClasses, default=None
        How targets, which are labels of classes, become numbers as they are read.
    window_rows : int, default=64
        Every block of a cell begins at a multiple of so many rows from the cell's first row,
        dropped rows counted, whatever the budget: what is computed window by window does not
        depend on the size of blocks.
    measured: bool, default=True
        Whether the features of blocks are looked at as they are read: that all are finite, and
        their ranges, which are NaN otherwise. For passes that need no features, or find out.
    """

    source: Source
    features: tuple[int, ...]
    target: int | AnyArray | None = None
    sample_weight: int | Float64Array | None = None
    dtype: np.dtype[Any] = np.dtype(np.float64)
    missing: Literal["error", "drop"] = "error"
    unit_rows: bool = False
    classes: TargetClasses | None = None
    window_rows: int = 64
    measured: bool = True

    @property
    def feature_names(self) -> tuple[str, ...]:
        columns = self.source.columns
        return tuple(columns[position].name for position in self.features)

    @property
    def columns_read(self) -> tuple[int, ...]:
        """Positions in ``source.columns`` of what is read: features, then target and weight."""
        roles = (self.target, self.sample_weight)
        return (*self.features, *(role for role in roles if isinstance(role, int)))

    @property
    def n_features(self) -> int:
        return len(self.features)

    @property
    def is_weighted(self) -> bool:
        """Whether rows have weights, of their own or of their class."""
        return self.sample_weight is not None or (
            self.classes is not None and self.classes.weights is not None
        )

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The source's grid."""
        return tuple(self.source.cells())

    @cached_property
    def n_rows(self) -> int:
        """Rows in the source; with ``missing="drop"`` some of them may be dropped in reading."""
        return sum(cell.n_rows for cell in self.cells)

    @property
    def row_bytes(self) -> int:
        """Memory of one decoded row: features, target and weight."""
        return planning.row_bytes(self)

    @property
    def files(self) -> frozenset[str]:
        """The local files that rows are read from, absolute paths."""
        # Cells of data in memory have the kind of their source in place of a path.
        return frozenset(cell.file for cell in self.cells if Path(cell.file).is_absolute())

    def read(self, cell: Cell, max_rows: int) -> Iterator[Block]:
        """The blocks of one cell, in row order.

        They are of whole windows, but for the cell's last: as many as `max_rows` rows hold, one
        at least.
        """
        return BlockReader(self).read(cell, max_rows)

    def with_unit_rows(self) -> "Dataset":
        """The same rows, each divided by its euclidean norm."""
        return replace(self, unit_rows=True)

    def grouped(self, n_groups: int) -> "Dataset":
        """The same rows in at most `n_groups` cells of about equal length, each a run of cells."""
        return replace(self, source=GroupedSource(self.source, n_groups))

    def selected(self, rows: AnyArray) -> "Dataset":
        """Only the rows where `rows`, of shape (n_rows,), is true."""
        target, weight = (
            role[rows] if isinstance(role, np.ndarray) else role
            for role in (self.target, self.sample_weight)
        )
        source = SelectedRows(self.source, rows)
        return replace(self, source=source, target=target, sample_weight=weight)

    def with_target(self, target: AnyArray | None) -> "Dataset":
        """The same rows with other targets, of shape (n_rows,), or none."""
        return replace(self, target=target)

    def with_classes(self, classes: TargetClasses) -> "Dataset":
        """The same rows, with the numbers that stand for their labels as targets."""
        return replace(self, classes=classes)

    def plan(self, memory: int | str | None = None, n_threads: int | None = None) -> planning.Plan:
        """How a pass over these rows would use memory; printing it explains it."""
        return planning.plan(self, planning.memory_bytes(memory), planning.threads(n_threads))

    @cached_property
    def fingerprint(self) -> str:
        """A short text that changes when what the blocks hold may have changed."""
        digest = sha256(self.source.fingerprint().encode())
        for role in (self.features, self.target, self.sample_weight):
            digest.update(role.tobytes() if isinstance(role, np.ndarray) else repr(role).encode())
        how = f"{self.dtype} {self.missing} {self.unit_rows} {self.classes} {self.measured}"
        digest.update(how.encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return (
            f"<Dataset of {self.n_rows:,} rows x {self.n_features} features, {self.dtype}, "
            f"from {type(self.source).__name__}>"
        )
