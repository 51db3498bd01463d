"""The mean of any loss, by a pass over the rows."""

from dataclasses import dataclass, replace

import numpy as np

from shoal._typing import Float64Array
from shoal.data.block import Block
from shoal.linear_model.mean_loss import LossMeans, MeanLoss
from shoal.linear_model.summary import Summary
from shoal.losses import Loss
from shoal.solvers.solver import Fold
from shoal.statistics.curvature import Curvature
from shoal.statistics.keyed_sample import KeyedSample
from shoal.statistics.loss_gradient import LossGradient, LossSums
from shoal.statistics.purpose import Purpose
from shoal.statistics.together import Together

#: A bound on derivatives this many times too large takes too many digits from their sums.
LOOSE = 2.0**24
#: Rows of which a sampled Hessian is, and for each parameter: enough to precondition by.
LEAST_SAMPLE = 4096
SAMPLED_A_PARAMETER = 16


@dataclass(frozen=True, slots=True, eq=False)
class RowLoss(MeanLoss):
    """A mean loss evaluated over the rows, about ``summary.shift``. One pass, rarely two.

    Parameters
    ----------
    loss : Loss
    summary : Summary
    """

    loss: Loss
    summary: Summary

    def evaluate(self, coef: Float64Array, intercept: Float64Array, fold: Fold) -> LossMeans:
        statistic = self._gradient(coef, intercept)
        return self._means(self._tightened(fold(statistic), statistic, fold))

    def evaluate_hessian(
        self, coef: Float64Array, intercept: Float64Array, fold: Fold
    ) -> LossMeans:
        statistic = self._gradient(coef, intercept)
        sums, hessian = fold(Together((statistic, self._curvature(coef, intercept))))
        means = self._means(self._tightened(sums, statistic, fold))
        return replace(means, hessian=hessian / self.summary.moments.weight)

    def sampled_hessian(
        self, coef: Float64Array, intercept: Float64Array, fold: Fold
    ) -> Float64Array:
        """That of some rows, drawn by their numbers: the same however rows are split into files."""
        size = max(LEAST_SAMPLE, SAMPLED_A_PARAMETER * (coef.size + intercept.size))
        n_features = coef.shape[1]
        drawn = fold(KeyedSample(size, n_features, self.summary.dtype, 0, Purpose.HESSIAN))
        low, high = self.summary.range.minimum, self.summary.range.maximum
        block = Block(drawn.X, 0, low, high, drawn.target, drawn.sample_weight)
        curvature = self._curvature(coef, intercept)
        weights = drawn.sample_weight
        weight = block.n_rows if weights is None else weights.sum()
        return curvature.result(curvature.update(curvature.zero(), block)) / weight

    def _means(self, sums: LossSums) -> LossMeans:
        weight = self.summary.moments.weight
        return LossMeans(
            sums.value / weight, sums.gradient / weight, sums.intercept_gradient / weight
        )

    def _tightened(self, sums: LossSums, statistic: LossGradient, fold: Fold) -> LossSums:
        """`sums`, or those of a second pass where the bound on derivatives was of no use.

        What bound is used depends on the model alone, never on the passes before: a fit that goes
        on from a checkpoint has to meet the same bits.
        """
        tight = sums.largest_gradient
        if np.isfinite(tight) and 0 < LOOSE * tight < statistic.gradient_bound:
            return fold(self._gradient(statistic.coef, statistic.intercept, tight))
        return sums

    def _curvature(self, coef: Float64Array, intercept: Float64Array) -> Curvature:
        return Curvature.within(
            self.summary.range,
            self.loss,
            coef,
            intercept,
            self.summary.shift,
            dtype=self.summary.dtype,
            target_range=self.summary.target_range,
        )

    def _gradient(
        self, coef: Float64Array, intercept: Float64Array, bound: float | None = None
    ) -> LossGradient:
        bounded = self.loss.gradient_bound is not None
        return LossGradient.within(
            self.summary.range,
            self.loss,
            coef,
            intercept,
            self.summary.shift,
            # Without a bound of its own a loss takes the finer sums of float64.
            dtype=self.summary.dtype if bounded else np.dtype(np.float64),
            is_sparse=self.summary.is_sparse,
            target_range=self.summary.target_range,
            bound=bound,
        )
