"""Squared error from second moments: a mean loss that reads no rows."""

from dataclasses import dataclass, replace

import numpy as np

from shoal._typing import Float64Array
from shoal.linear_model.mean_loss import LossMeans, MeanLoss
from shoal.solvers.linear_algebra import product
from shoal.solvers.solver import Fold
from shoal.statistics.gram import SecondMoments


@dataclass(frozen=True, slots=True, eq=False)
class MomentLoss(MeanLoss):
    r"""Half the mean squared error of rows whose second moments are known.

    .. math:: \frac{1}{2} \sum_k \left( w_k^T A w_k - 2 c_k^T w_k + q_k
              + (b_k - \bar y_k)^2 \right)

    with the Gram matrix A of features, their moments :math:`c_k` with output k and the variance
    :math:`q_k` of that, all about the means. The point m is the mean of the features.

    Parameters
    ----------
    moments : SecondMoments
    """

    moments: SecondMoments

    def evaluate(self, coef: Float64Array, intercept: Float64Array, fold: Fold) -> LossMeans:
        cross, bias = self.moments.cross.T, intercept - self.moments.target_mean
        slope = product(self.moments.gram, coef.T).T - cross
        squares = ((slope - cross) * coef).sum() + self.moments.target_gram.diagonal().sum()
        return LossMeans(float(squares + (bias * bias).sum()) / 2, slope, bias)

    def evaluate_hessian(
        self, coef: Float64Array, intercept: Float64Array, fold: Fold
    ) -> LossMeans:
        hessian = self.sampled_hessian(coef, intercept, fold)
        return replace(self.evaluate(coef, intercept, fold), hessian=hessian)

    def sampled_hessian(
        self, coef: Float64Array, intercept: Float64Array, fold: Fold
    ) -> Float64Array:
        """The Hessian itself, the same everywhere."""
        n_outputs, n_features = coef.shape
        hessian = np.eye(n_outputs * (n_features + 1))
        for start in range(0, n_outputs * n_features, n_features):
            here = slice(start, start + n_features)
            hessian[here, here] = self.moments.gram
        return hessian
