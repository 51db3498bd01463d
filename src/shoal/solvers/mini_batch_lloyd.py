"""Mini-batch K-means: centres follow a stream of small batches of rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from shoal._typing import AnyArray, Float64Array, Int32Array
from shoal.solvers.lloyd import Summary, unit_rows
from shoal.solvers.solver import Fold, Solver, SolverState, Status
from shoal.statistics.keyed_sample import KeyedSample
from shoal.statistics.nearest_center import nearest_center


@dataclass(frozen=True, slots=True)
class MiniBatchState(SolverState):
    """Where a mini-batch fit is.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Of the type of the data.
    weights : ndarray of shape (n_clusters,), float64
        Sum of the weights of the rows that each centre is the mean of.
    n_steps : int
        Mini-batches seen.
    rows_since_reassignment : int
        Rows seen since centres with few rows were last moved.
    smoothed_inertia, least_inertia : float or None
        Exponentially weighted average of the inertia a row, and the least that it has been.
    n_without_improvement : int
        Mini-batches since that least.
    converged : bool
    """

    centers: AnyArray
    weights: Float64Array
    n_steps: int = 0
    rows_since_reassignment: int = 0
    smoothed_inertia: float | None = None
    least_inertia: float | None = None
    n_without_improvement: int = 0
    converged: bool = False


@dataclass(frozen=True, slots=True)
class MiniBatch:
    """Some rows in memory, in random order.

    Attributes
    ----------
    X : ndarray of shape (n_rows, n_features)
    sample_weight : ndarray of shape (n_rows,), float64
    """

    X: AnyArray
    sample_weight: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class MiniBatchLloyd(Solver[MiniBatchState]):
    r"""Moves each centre to the running mean of all rows that ever were nearest to it.

    .. math:: c_j \leftarrow \frac{W_j c_j + \sum_{i \in B_j} w_i x_i}{W_j + \sum_{i \in B_j} w_i}

    for each mini-batch, :math:`B_j` its rows nearest to :math:`c_j`. A solver's step is one
    pass: it draws `pool_size` rows without replacement (all of them, where there are fewer) and
    takes mini-batches from these in random order.

    Parameters
    ----------
    seed_centers : callable
        ``seed_centers(fold)`` gives the first centres.
    summary : Summary
    batch_size, pool_size : int
        Rows of a mini-batch and of a pass.
    max_steps : int
        Most mini-batches.
    tolerance : float
        Ends once centres move less than this in a mini-batch (squared, summed); 0: never.
    max_no_improvement : int or None
        Ends after so many mini-batches that do not lower the smoothed inertia; None: never.
    reassignment_ratio : float
        Centres with less than this share of the largest weight are moved to random rows.
    seed, purpose : int
        Key of the draws; ``purpose + n_iter`` for each pass.
    spherical : bool
        Whether centres are scaled to unit length.

    References
    ----------
    D. Sculley, "Web-scale k-means clustering", WWW 2010.
    """

    seed_centers: Callable[[Fold], AnyArray]
    summary: Summary
    batch_size: int
    pool_size: int
    max_steps: int
    tolerance: float
    max_no_improvement: int | None
    reassignment_ratio: float
    seed: int
    purpose: int
    spherical: bool = False

    def init(self, fold: Fold) -> MiniBatchState:
        centers = self._centers(self.seed_centers(fold))
        return MiniBatchState(0, None, centers, np.zeros(len(centers)))

    def step(self, state: MiniBatchState, fold: Fold) -> MiniBatchState:
        pool = self.draw(self.pool_size, state.n_iter, fold)
        for start in range(0, len(pool.X), self.batch_size):
            if state.n_steps >= self.max_steps or state.converged:
                break
            rows = slice(start, start + self.batch_size)
            state = self.follow(state, MiniBatch(pool.X[rows], pool.sample_weight[rows]))
        return replace(state, n_iter=state.n_iter + 1, loss=state.smoothed_inertia)

    def terminate(self, state: MiniBatchState) -> Status | None:
        if state.converged:
            return Status.CONVERGED
        return Status.MAX_ITER if state.n_steps >= self.max_steps else None

    def draw(self, size: int, number: int, fold: Fold) -> MiniBatch:
        """Draw `size` rows in random order, without replacement: the `number`-th such draw."""
        summary = self.summary
        sample = fold(
            KeyedSample(size, len(summary.shift), summary.dtype, self.seed, self.purpose + number)
        )
        order = np.argsort(sample.keys, kind="stable")
        weight = np.ones(len(order)) if sample.sample_weight is None else sample.sample_weight
        return MiniBatch(sample.X[order], weight[order])

    def follow(self, state: MiniBatchState, batch: MiniBatch) -> MiniBatchState:
        """The state after one more mini-batch."""
        labels, distances = nearest_center(batch.X, state.centers, self.summary.shift)
        inertia = float((batch.sample_weight * distances).sum()) / len(batch.X)
        sums, weights = _sums(batch, labels, len(state.centers))
        total = state.weights + weights
        counted = total > 0
        means = state.centers.astype(np.float64)
        means[counted] += (sums - weights[:, None] * means)[counted] / total[counted, None]
        moved = self._reassigned(replace(state, weights=total), means, batch)
        centers = self._centers(moved[0])
        shift = float(((centers.astype(np.float64) - state.centers) ** 2).sum())
        followed = replace(
            state,
            centers=centers,
            weights=moved[1],
            n_steps=state.n_steps + 1,
            rows_since_reassignment=moved[2],
        )
        return self._judged(followed, inertia, shift)

    def _reassigned(
        self, state: MiniBatchState, means: Float64Array, batch: MiniBatch
    ) -> tuple[Float64Array, Float64Array, int]:
        """Centres and weights after the lightest centres were moved, and rows since then."""
        weights = state.weights
        rows_since = state.rows_since_reassignment + len(batch.X)
        due = rows_since >= 10 * len(weights) or bool((weights == 0).any())
        if not due or self.reassignment_ratio == 0:
            return means, weights, 0 if due else rows_since
        light = weights < self.reassignment_ratio * weights.max()
        # The heaviest stays: others take a weight from those that do.
        light[weights.argmax()] = False
        most = len(batch.X) // 2
        if light.sum() > most:
            light[np.argsort(weights, kind="stable")[most:]] = False
        if light.any():
            means, weights = means.copy(), weights.copy()
            # The batch is in random order already: its first rows are as good as any.
            means[light] = batch.X[: light.sum()]
            weights[light] = weights[~light].min()
        return means, weights, 0

    def _centers(self, means: AnyArray) -> AnyArray:
        centers = unit_rows(means) if self.spherical else means
        return np.ascontiguousarray(centers, dtype=self.summary.dtype)

    def _judged(self, state: MiniBatchState, inertia: float, shift: float) -> MiniBatchState:
        """`state` with its smoothed inertia, and whether it has converged."""
        if state.n_steps == 1:
            return state  # the inertia of the first centres says nothing of the steps
        share = min(2 * self.batch_size / (self.summary.range.n_rows + 1), 1.0)
        before = state.smoothed_inertia
        smoothed = inertia if before is None else before * (1 - share) + inertia * share
        improved = state.least_inertia is None or smoothed < state.least_inertia
        idle = 0 if improved else state.n_without_improvement + 1
        patience = self.max_no_improvement
        return replace(
            state,
            smoothed_inertia=smoothed,
            least_inertia=smoothed if improved else state.least_inertia,
            n_without_improvement=idle,
            converged=(0 < self.tolerance >= shift) or (patience is not None and idle >= patience),
        )


def _sums(
    batch: MiniBatch, labels: Int32Array, n_clusters: int
) -> tuple[Float64Array, Float64Array]:
    """Weighted sums of rows and of weights of each cluster."""
    n_rows = len(labels)
    members = sparse.csr_array(
        (batch.sample_weight, labels, np.arange(n_rows + 1)), shape=(n_rows, n_clusters)
    )
    sums = members.T @ batch.X.astype(np.float64)
    weights = np.zeros(n_clusters)
    np.add.at(weights, labels, batch.sample_weight)
    return np.asarray(sums), weights
