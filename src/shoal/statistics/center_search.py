"""Labelling the rows of a block pass after pass, with what the pass before left beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int32Array
from shoal.data.block import Block
from shoal.statistics.nearest_center import assign

BESIDE = "center_search"


class Found(NamedTuple):
    """Labels of a block's rows.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,), int32
    n_scanned : int
        Rows for which all centres were looked at.
    """

    labels: Int32Array
    n_scanned: int


class Labelling(NamedTuple):
    """Labels of a block's rows that are about to be found.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,), int32
        To be filled; with bounds, those before.
    labels_before : ndarray of shape (n_rows,), int32, or None
        Labels in the pass before, where they are still known.
    bounds : dict
        What a kernel that keeps bounds is told of them; empty for one that looks at all centres.
    """

    labels: Int32Array
    labels_before: Int32Array | None
    bounds: dict[str, AnyArray | None]


@dataclass(slots=True)
class _Bounds:
    """What stands beside a block: labels under the centres of one pass, and bounds if kept.

    `bounds`, of shape (3, n_rows), float32, has the distance of a row to its own centre from above,
    to another, its rival, from below, and to all the rest from below.
    """

    fit: str
    step: int
    labels: Int32Array
    rivals: Int32Array | None = None
    bounds: AnyArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CenterSearch:
    """Finds the nearest centre of each row of a block.

    With `bounds`, rows are skipped by bounds that move by how far centres drifted: Hamerly's upper
    one on the distance to the own centre and lower one on that to all others, but for the second
    nearest, which has a lower bound of its own. Labels are those of a full scan to the last bit,
    whatever is or is not known from before.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Of the type of the rows, C-contiguous.
    shift : ndarray of shape (n_features,), float64
        About the middle of the data.
    fit : str
        Names the fit, so that what stands beside blocks is not taken for another's.
    step : int
        Which pass of the fit this is.
    drift : ndarray of shape (n_clusters,), float64, default=None
        How far at most each centre has moved since pass ``step - 1``.
    separation : ndarray of shape (n_clusters,), float64, default=None
        Half the distance from each centre to the nearest other, at most; goes with `bounds`.
    bounds : bool, default=False
        Whether bounds are kept: 16 bytes a row more beside the 4 of a label.
    pinned : bool, default=False
        Whether rows whose target is not -1 have that for a label, whatever centre is near. Goes
        without bounds.

    References
    ----------
    G. Hamerly, "Making k-means even faster", SDM 2010.
    """

    centers: AnyArray
    shift: Float64Array
    fit: str
    step: int
    drift: Float64Array | None = None
    separation: Float64Array | None = None
    bounds: bool = False
    pinned: bool = False

    @property
    def beside_row_bytes(self) -> int:
        return 20 if self.bounds else 4

    def __call__(self, block: Block) -> Found:
        with self.labelling(block) as rows:
            if rows.bounds:
                n_scanned = _kernels.assign_bounded(
                    block.X, self.centers, self.shift, rows.labels, **rows.bounds
                )
            else:
                n_scanned = block.n_rows
                self.label(block, rows.labels)
        return Found(rows.labels, n_scanned)

    def label(self, block: Block, labels: Int32Array) -> None:
        """Labels of a block's rows, all centres looked at, into an array of the caller."""
        assign(block.X, self.centers, self.shift, labels)
        if self.pinned:
            assert block.target is not None, "the dataset has no target"
            np.copyto(labels, block.target, where=block.target >= 0)

    @contextmanager
    def labelling(self, block: Block) -> Iterator[Labelling]:
        """What is labelled inside the ``with`` stands beside the block afterwards.

        Until then nothing does: an interrupted pass must not leave bounds that have moved under
        a step that has not.
        """
        before: _Bounds | None = block.beside.pop(BESIDE, None)
        if before is not None and (before.fit, before.step) != (self.fit, self.step - 1):
            before = None
        is_bounded = self.bounds and isinstance(block.X, np.ndarray)
        now, bounds = self._bounded(block, before) if is_bounded else self._unbounded(block)
        yield Labelling(now.labels, before.labels if before else None, bounds)
        block.beside[BESIDE] = now

    def _unbounded(self, block: Block) -> tuple[_Bounds, dict[str, AnyArray | None]]:
        return _Bounds(self.fit, self.step, np.empty(block.n_rows, dtype=np.int32)), {}

    def _bounded(
        self, block: Block, before: _Bounds | None
    ) -> tuple[_Bounds, dict[str, AnyArray | None]]:
        """Labels and bounds to move on, and what is known of the move."""
        if before is None or before.bounds is None or self.drift is None:
            labels, rivals = (np.zeros(block.n_rows, dtype=np.int32) for _ in range(2))
            bounds = np.zeros((3, block.n_rows), dtype=np.float32)
            now = _Bounds(self.fit, self.step, labels, rivals, bounds)
            drift = np.zeros(len(self.centers))
        else:
            labels = before.labels.copy()
            now = _Bounds(self.fit, self.step, labels, before.rivals, before.bounds)
            drift = self.drift
        return now, {
            "rivals": now.rivals,
            "bounds": now.bounds,
            "drift": drift,
            "separation": self.separation,
        }
