"""Lloyd's algorithm for K-means."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from uuid import uuid4

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array
from shoal.solvers.solver import Fold, Solver, SolverState, Status
from shoal.statistics.center_search import CenterSearch
from shoal.statistics.centroid_sums import CentroidSums, ClusterSums
from shoal.statistics.farthest_rows import FarthestRows
from shoal.statistics.fixed_point import Scale, choose_scale
from shoal.statistics.moments import ColumnMoments
from shoal.statistics.range import ColumnRange


@dataclass(frozen=True, slots=True)
class LloydState(SolverState):
    """Where a K-means fit is.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Of the type of the data.
    drift : ndarray of shape (n_clusters,), float64, or None
        How far at most each centre moved in the last step.
    squared_shift : float
        Sum over centres of the square of how far they moved in the last step.
    """

    centers: AnyArray
    drift: Float64Array | None
    squared_shift: float


@dataclass(frozen=True)
class Summary:
    """What the passes before the first step found out about the rows.

    Attributes
    ----------
    range : ColumnRange
    moments : ColumnMoments
    shift : ndarray of shape (n_features,), float64
        The mean, rounded to the type of the data so that subtracting it from float32 values is
        exact in float64; zeros for sparse data, which stay sparse.
    dtype : numpy.dtype
    weighted : bool
    """

    range: ColumnRange
    moments: ColumnMoments
    shift: Float64Array
    dtype: np.dtype[np.floating]
    weighted: bool

    @cached_property
    def squares_about_shift(self) -> float:
        """Sum of w |x - shift|^2 over all rows."""
        about_mean = self.moments.variance + (self.moments.mean - self.shift) ** 2
        return float(self.moments.weight * about_mean.sum())

    @cached_property
    def scale(self) -> Scale:
        """The finest scale at which no sum of rows overflows."""
        found = self.range
        largest = found.largest_weight * found.largest_distance(self.shift)
        return choose_scale(largest, found.n_rows, self.dtype)

    @cached_property
    def weight_scale(self) -> Scale:
        """The finest scale at which no sum of weights overflows."""
        return choose_scale(self.range.largest_weight, self.range.n_rows, self.dtype)

    def sums(self, search: CenterSearch) -> CentroidSums:
        """Sums of the rows nearest to each centre."""
        return CentroidSums(search, self.scale, self.weight_scale, self.weighted)


@dataclass(frozen=True, slots=True, eq=False)
class Lloyd(Solver[LloydState]):
    r"""Moves each centre to the weighted mean of the rows nearest to it, until none moves much.

    One pass a step. Sums are exact, so a step gives the same bits in any order of the rows; and
    since rows whose label did not change add up to the same integers, a step in which no label
    changes moves no centre at all.

    A cluster without rows is given the row farthest from its centre (one more pass), which is
    taken out of its old cluster; several empty clusters get several rows, by falling distance
    and, where tied, rising row number. So it is in scikit-learn.

    Parameters
    ----------
    seed_centers : callable
        ``seed_centers(fold)`` gives the first centres, of shape (n_clusters, n_features).
    summary : Summary
    max_iter : int
    tolerance : float
        Ends once the sum of squared movements of all centres is at most this.
    bounds : bool
        Whether rows are skipped by bounds.
    spherical : bool
        Whether centres are scaled to unit length.
    pinned : bool
        Whether rows whose target is not -1 stay in the cluster of that number. Goes without
        bounds.
    fit : str, default=None
        Names the fit, as of `CenterSearch`; one that no other has by default.

    References
    ----------
    S. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28
    (1982).
    """

    seed_centers: Callable[[Fold], AnyArray]
    summary: Summary
    max_iter: int
    tolerance: float
    bounds: bool
    spherical: bool = False
    pinned: bool = False
    fit: str = field(default_factory=lambda: uuid4().hex)

    def init(self, fold: Fold) -> LloydState:
        centers = self.seed_centers(fold)
        if self.spherical:
            centers = unit_rows(centers)
        return LloydState(0, None, centers, None, np.inf)

    def step(self, state: LloydState, fold: Fold) -> LloydState:
        found = fold(self.summary.sums(self.search(state)))
        loss = self._loss(found, state.centers)
        centers = self._means(self._relocated(found, state.centers, fold), state.centers)
        moved = np.linalg.norm(centers.astype(np.float64) - state.centers, axis=1)
        return LloydState(
            state.n_iter + 1,
            loss,
            centers,
            # Rounded up: bounds must not be told that a centre moved less than it did.
            moved * (1 + 1e-9),
            float((moved**2).sum()),
        )

    def terminate(self, state: LloydState) -> Status | None:
        if state.squared_shift <= self.tolerance:
            return Status.CONVERGED
        return Status.MAX_ITER if state.n_iter >= self.max_iter else None

    def search(self, state: LloydState) -> CenterSearch:
        """Finds the nearest of the centres of `state`."""
        return CenterSearch(
            state.centers,
            self.summary.shift,
            self.fit,
            state.n_iter,
            state.drift,
            _kernels.pairwise_min_separation(state.centers) if self.bounds else None,
            self.bounds,
            self.pinned,
        )

    def _loss(self, found: ClusterSums, centers: AnyArray) -> float:
        """Inertia, from sums alone: sum w|x|^2 - sum_j (2 c_j.S_j - W_j |c_j|^2), about shift."""
        about_shift = centers - self.summary.shift
        explained = 2 * (about_shift * found.sums).sum(axis=1)
        explained -= found.weights * (about_shift**2).sum(axis=1)
        inertia = max(self.summary.squares_about_shift - float(explained.sum()), 0.0)
        # |x - c|^2 = 2 (1 - cos) for rows and centres of unit length.
        return inertia / 2 if self.spherical else inertia

    def _means(self, found: ClusterSums, before: AnyArray) -> AnyArray:
        """The new centres; one that still has no rows stays where it is."""
        sums, weights = found.sums, found.weights[:, None]
        means = np.where(
            weights > 0, self.summary.shift + sums / np.where(weights > 0, weights, 1), before
        )
        if self.spherical:
            means = np.where(means.any(axis=1, keepdims=True), unit_rows(means), before)
        return np.ascontiguousarray(means, dtype=self.summary.dtype)

    def _relocated(self, found: ClusterSums, centers: AnyArray, fold: Fold) -> ClusterSums:
        """`found`, with rows far from their centre moved into clusters that have none."""
        empty = np.flatnonzero(found.weights == 0)
        if not len(empty):
            return found
        far = fold(FarthestRows(len(empty), centers, self.summary.shift, self.pinned))
        sums, weights = found.sums.copy(), found.weights.copy()
        rows = far.weights[:, None] * (far.X.astype(np.float64) - self.summary.shift)
        for cluster, distance, row, label, weight in zip(
            empty, far.distances, rows, far.labels, far.weights, strict=False
        ):
            # A row on its centre, or the last of its cluster, would only swap names.
            if distance == 0 or weights[label] <= weight:
                continue
            sums[label] -= row
            sums[cluster] = row
            weights[label] -= weight
            weights[cluster] = weight
        return ClusterSums(sums, weights, found.n_scanned, found.n_moved)


def unit_rows(centers: AnyArray) -> AnyArray:
    """Centres scaled to unit length, but for those of length 0."""
    lengths = np.linalg.norm(centers, axis=1, keepdims=True)
    return np.ascontiguousarray(centers / np.where(lengths > 0, lengths, 1), dtype=centers.dtype)
