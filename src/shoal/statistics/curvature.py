"""The Hessian of the loss of a linear model: the pass of Newton's method."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Self

import numpy as np

from shoal._typing import Float64Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.losses import Loss
from shoal.statistics.gram import GROUP_ROWS, GramScale, add_gram
from shoal.statistics.range import ColumnRange
from shoal.statistics.raw_predictions import raw_predictions
from shoal.statistics.target_range import targets_of

_LARGEST_BOUND = 2.0**900


@dataclass(frozen=True, slots=True, eq=False)
class Curvature(Statistic[Int64Array, Float64Array]):
    r"""Sums of second derivatives of the losses of a linear model, by coefficients and intercepts.

    .. math:: \sum_i w_i \ell''_{kl}(y_i, r_i) \, z_i z_i^\top, \qquad
              z_i = (x_i - m, 1), \quad r_i = W (x_i - m) + b

    for each pair of outputs k and l: of a multinomial loss :math:`\ell''_{kl} = p_k (\delta_{kl} -
    p_l)`, of others there is but one output. One pass at the rate of matrix products,
    O(n_outputs^2 n_features^2) memory a thread.

    Parameters
    ----------
    loss : Loss
    coef : ndarray of shape (n_outputs, n_features), float64
    intercept : ndarray of shape (n_outputs,), float64
    shift : ndarray of shape (n_features,), float64
        The point m; zeros for sparse rows.
    scale : GramScale
        Of features and 1.
    bound : float
        Weighted second derivatives above this count as this.

    Attributes
    ----------
    pairs : list of (int, int)
        The pairs of outputs, k <= l.
    """

    loss: Loss
    coef: Float64Array
    intercept: Float64Array
    shift: Float64Array
    scale: GramScale
    bound: float

    @classmethod
    def within(
        cls,
        found: ColumnRange,
        loss: Loss,
        coef: Float64Array,
        intercept: Float64Array,
        shift: Float64Array,
        *,
        dtype: np.dtype[np.floating],
        target_range: tuple[float, float],
    ) -> Self:
        """The statistic for rows of a known range and of this type."""
        distance = found.largest_distance(shift)
        reach = float(np.max(np.abs(intercept) + (np.abs(coef) * distance).sum(axis=1)))
        bound = min(found.largest_weight * _largest(loss, target_range, reach), _LARGEST_BOUND)
        largest = np.append(distance, 1.0)
        scale = GramScale.within(largest, bound, found.n_rows, dtype, np.float64)
        return cls(loss, np.ascontiguousarray(coef), intercept, shift, scale, bound)

    @property
    def window_rows(self) -> int:
        return GROUP_ROWS

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return list(combinations_with_replacement(range(len(self.coef)), 2))

    def zero(self) -> Int64Array:
        return np.stack([self.scale.zero() for _ in self.pairs])

    def update(self, partial: Int64Array, block: Block) -> Int64Array:
        nothing = np.empty((block.n_rows, 0))
        weight = 1.0 if block.sample_weight is None else block.sample_weight
        raw = raw_predictions(
            block, self.coef, self.intercept - (self.coef * self.shift).sum(axis=1)
        )
        for sums, curvature in zip(partial, self._curvatures(block, raw), strict=True):
            weights = np.minimum(weight * curvature, self.bound)
            add_gram(sums, block, nothing, self.shift, self.scale, weights)
        return partial

    def merge(self, partial: Int64Array, other: Int64Array) -> Int64Array:
        partial += other
        return partial

    def result(self, partial: Int64Array) -> Float64Array:
        """The Hessian by W, row after row, and b."""
        n_outputs, n_features = self.coef.shape
        hessian = np.empty((n_outputs, n_features + 1, n_outputs, n_features + 1))
        for sums, (k, other) in zip(partial, self.pairs, strict=True):
            of_pair = self.scale.to_float(sums) * (1 if k == other else -1)
            hessian[k, :, other] = hessian[other, :, k] = of_pair
        is_intercept = np.tile(np.arange(n_features + 1) == n_features, n_outputs)
        order = np.argsort(is_intercept, kind="stable")
        return hessian.reshape(len(order), len(order))[np.ix_(order, order)]

    def _curvatures(self, block: Block, raw: Float64Array) -> Iterator[Float64Array]:
        """Magnitudes of the second derivatives of each pair, shape (n_rows,)."""
        if not self.loss.is_multinomial:
            yield self.loss.hessian(targets_of(block)[:, 0], raw[:, 0])
            return
        probability = self.loss.inverse_link(raw)
        for k, other in self.pairs:
            rest = 1 - probability[:, k] if k == other else probability[:, other]
            yield probability[:, k] * rest


def _largest(loss: Loss, target_range: tuple[float, float], reach: float) -> float:
    """The largest second derivative at raw predictions up to `reach`, of a loss that has one."""
    if loss.curvature_bound is not None:
        return loss.curvature_bound
    low, high = target_range
    corners = loss.hessian([low, low, high, high], [-reach, reach, -reach, reach])
    return float(np.abs(corners).max())
