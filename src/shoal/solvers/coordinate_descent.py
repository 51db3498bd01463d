"""The elastic net by coordinate descent on a Gram matrix."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import Float64Array
from shoal.solvers.linear_algebra import dot, product


@dataclass(frozen=True, slots=True)
class ElasticNetSolution:
    """Where coordinate descent ended.

    Attributes
    ----------
    coef : ndarray of shape (n_features,), float64
    n_iter : int
        Sweeps over all features.
    gap : float
        Duality gap: by how much the objective is above its minimum, at most.
    """

    coef: Float64Array
    n_iter: int
    gap: float


@dataclass(frozen=True, slots=True, eq=False)
class ElasticNetProblem:
    r"""Least squares by their sums, with an elastic net.

    .. math:: \min_w \tfrac{1}{2} (w^T A w - 2 c^T w + q) + \lambda_1 |w|_1
              + \tfrac{\lambda_2}{2} |w|_2^2

    With :math:`A = X^T X / n`, :math:`c = X^T y / n` and :math:`q = y^T y / n` it is that of all
    rows: no further pass is needed, for however many penalties.

    Parameters
    ----------
    A : ndarray of shape (n_features, n_features), float64
    c : ndarray of shape (n_features,), float64
    q : float
    positive : bool, default=False
        Whether coefficients must not be negative.

    References
    ----------
    J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear models
    via coordinate descent", J. Stat. Softw. 33 (2010), section 2.2 ("covariance updates").
    """

    A: Float64Array
    c: Float64Array
    q: float
    positive: bool = False

    def solve(
        self, l1: float, l2: float, start: Float64Array, max_iter: int, tol: float
    ) -> ElasticNetSolution:
        """Sweep over the features until the duality gap is at most ``tol * q``.

        `l1` must be above 0: without it the problem is linear, and the gap says nothing.
        """
        coef = start.copy()
        residual = self.c - product(self.A, coef)
        n_iter, gap = 0, np.inf
        while gap > tol * self.q and n_iter < max_iter:
            self._sweep(coef, residual, l1, l2)
            gap = self._gap(coef, residual, l1, l2)
            n_iter += 1
        return ElasticNetSolution(coef, n_iter, gap)

    def _sweep(self, coef: Float64Array, residual: Float64Array, l1: float, l2: float) -> None:
        """Minimise over one coefficient after another; `residual` stays ``c - A @ coef``."""
        for j, curvature in enumerate(self.A.diagonal().tolist()):
            if not curvature:
                coef[j] = 0.0
                continue
            before = float(coef[j])
            pull = float(residual[j]) + curvature * before
            after = self._shrunk(pull, l1) / (curvature + l2)
            if after != before:
                coef[j] = after
                residual -= (after - before) * self.A[j]

    def _shrunk(self, pull: float, l1: float) -> float:
        """Soft thresholding."""
        if pull > l1:
            return pull - l1
        return pull + l1 if pull < -l1 and not self.positive else 0.0

    def _gap(self, coef: Float64Array, residual: Float64Array, l1: float, l2: float) -> float:
        """The duality gap, with the residual of the rows, shrunk until feasible, as dual point."""
        slopes = residual - l2 * coef
        steepest = float(slopes.max() if self.positive else np.abs(slopes).max())
        shrink = min(1.0, l1 / steepest) if steepest > 0 else 1.0
        squares = self.q - dot(self.c, coef) - dot(residual, coef)
        return float(
            (1 + shrink**2) / 2 * (squares + l2 * dot(coef, coef))
            + l1 * float(np.abs(coef).sum())
            - shrink * (self.q - dot(self.c, coef))
        )
