"""The mean of any loss, by a pass over the rows."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import Float64Array
from shoal.linear_model.mean_loss import LossMeans, MeanLoss
from shoal.linear_model.summary import Summary
from shoal.losses import Loss
from shoal.solvers.solver import Fold
from shoal.statistics.loss_gradient import LossGradient, LossSums

#: A bound on derivatives this many times too large takes too many digits from their sums.
LOOSE = 2.0**24


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
        sums = self._sums(coef, intercept, fold)
        weight = self.summary.moments.weight
        return LossMeans(
            sums.value / weight, sums.gradient / weight, sums.intercept_gradient / weight
        )

    def _sums(self, coef: Float64Array, intercept: Float64Array, fold: Fold) -> LossSums:
        """The sums of a pass; of a second one where a bound on derivatives was of no use.

        What bound is used depends on the model alone, never on the passes before: a fit that goes
        on from a checkpoint has to meet the same bits.
        """
        statistic = self._statistic(coef, intercept, None)
        sums = fold(statistic)
        tight = sums.largest_gradient
        if np.isfinite(tight) and 0 < LOOSE * tight < statistic.gradient_bound:
            sums = fold(self._statistic(coef, intercept, tight))
        return sums

    def _statistic(
        self, coef: Float64Array, intercept: Float64Array, bound: float | None
    ) -> LossGradient:
        bounded = self.loss.gradient_bound is not None
        targets = self.summary.targets
        return LossGradient.within(
            self.summary.range,
            self.loss,
            coef,
            intercept,
            self.summary.shift,
            # Without a bound of its own a loss takes the finer sums of float64.
            dtype=self.summary.dtype if bounded else np.dtype(np.float64),
            target_range=(float(targets.minimum.min()), float(targets.maximum.max())),
            bound=bound,
        )

    def evaluate_hessian(
        self, coef: Float64Array, intercept: Float64Array, fold: Fold
    ) -> LossMeans:
        raise NotImplementedError
