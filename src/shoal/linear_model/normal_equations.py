"""Penalised least squares from second moments, without a further pass."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from shoal._typing import Float64Array
from shoal.linear_model.problem import LinearModel
from shoal.solvers.coordinate_descent import ElasticNetProblem
from shoal.solvers.linear_algebra import solve_semidefinite
from shoal.solvers.nonnegative import solve_nonnegative
from shoal.statistics.gram import SecondMoments


@dataclass(frozen=True, slots=True, eq=False)
class LeastSquares:
    """A model found by `NormalEquations`.

    Attributes
    ----------
    model : LinearModel
    n_iter : int
        Sweeps of coordinate descent, the most over outputs; 1 where equations were solved.
    gaps : ndarray of shape (n_outputs,), float64
        Duality gaps: by how much the objective is above its minimum, at most; 0 where equations
        were solved.
    """

    model: LinearModel
    n_iter: int
    gaps: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class NormalEquations:
    r"""The minimum of :math:`w^T A w / 2 - c_k^T w` plus a penalty, for each output k.

    Parameters
    ----------
    A : ndarray of shape (n_features, n_features), float64
    c : ndarray of shape (n_features, n_outputs), float64
    squares : ndarray of shape (n_outputs,), float64
        Mean squares of the targets.
    mean, target_mean : ndarray of shape (n_features,) and (n_outputs,), float64
        What A, c and squares are about; zeros without an intercept.
    """

    A: Float64Array
    c: Float64Array
    squares: Float64Array
    mean: Float64Array
    target_mean: Float64Array

    @classmethod
    def of(cls, moments: SecondMoments, fit_intercept: bool) -> Self:
        """Those of rows with these second moments."""
        A, c = moments.gram, moments.cross
        squares = moments.target_gram.diagonal()
        mean, target_mean = moments.mean, moments.target_mean
        if fit_intercept:
            return cls(A, c, squares, mean, target_mean)
        return cls(
            A + np.multiply.outer(mean, mean),
            c + np.multiply.outer(mean, target_mean),
            squares + target_mean**2,
            np.zeros_like(mean),
            np.zeros_like(target_mean),
        )

    def solve(
        self,
        l1: float,
        l2: float,
        *,
        positive: bool,
        start: LinearModel,
        max_iter: int,
        tol: float,
    ) -> LeastSquares:
        """The penalised model; sweeps, if there have to be some, begin at `start`.

        Without L1 equations are solved: of least norm, where they leave a choice.
        """
        if l1:
            return self._swept(l1, l2, positive, start, max_iter, tol)
        A = self.A + l2 * np.eye(len(self.A))
        if positive:
            coef = np.stack([solve_nonnegative(A, c) for c in np.ascontiguousarray(self.c.T)])
        else:
            coef = np.ascontiguousarray(solve_semidefinite(A, self.c).T)
        return LeastSquares(self._model(coef), 1, np.zeros(len(coef)))

    def _swept(
        self, l1: float, l2: float, positive: bool, start: LinearModel, max_iter: int, tol: float
    ) -> LeastSquares:
        solutions = [
            ElasticNetProblem(self.A, c, q, positive).solve(l1, l2, coef, max_iter, tol)
            for c, q, coef in zip(self.c.T, self.squares.tolist(), start.coef, strict=True)
        ]
        return LeastSquares(
            self._model(np.stack([solution.coef for solution in solutions])),
            max(solution.n_iter for solution in solutions),
            np.array([solution.gap for solution in solutions]),
        )

    def _model(self, coef: Float64Array) -> LinearModel:
        return LinearModel(coef, self.target_mean - (coef * self.mean).sum(axis=1))
