"""Fits of squared error, for one penalty or a path of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from shoal._typing import Float64Array
from shoal.callbacks import FitProgress
from shoal.data.dataset import Dataset
from shoal.linear_model.descent import Descent
from shoal.linear_model.mean_loss import MeanLoss
from shoal.linear_model.moment_loss import MomentLoss
from shoal.linear_model.normal_equations import NormalEquations
from shoal.linear_model.problem import LinearModel, Problem
from shoal.linear_model.row_loss import RowLoss
from shoal.linear_model.summary import ranges, second_moments, summarize
from shoal.linear_model.target import n_outputs
from shoal.losses import HalfSquaredError
from shoal.penalties import L1, L2
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.solver import Fold
from shoal.statistics.gram import SecondMoments

#: Features above which second moments take more than passes do: n_features^2 memory and work a row.
MOST_GRAM_FEATURES = 1000

#: L1 and L2 of a mean loss.
Strength: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A model and how it was found.

    Attributes
    ----------
    model : LinearModel
    n_iter : int
        Steps or sweeps; 1 where equations were solved.
    loss_curve : list of float
    gap : float
        Largest duality gap over outputs, where sweeps were made.
    """

    model: LinearModel
    n_iter: int
    loss_curve: list[float]
    gap: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class SquaredErrorFit:
    """One call of ``fit`` of a model of squared error.

    Parameters
    ----------
    dataset : Dataset
    fold, progress
        Of the fit under way.
    descent : Descent
        With a solver called "gram", equations are solved instead.
    fit_intercept, positive : bool
    strengths : callable
        ``strengths(weight)`` gives the penalties: the first, then those of a path.
    start : callable
        ``start(intercept)`` gives where to begin, from the intercept of the constant model.
    checkpoint : callable
        ``checkpoint(number, strength, start)``: of a descent.
    """

    dataset: Dataset
    fold: Fold
    progress: FitProgress
    descent: Descent
    fit_intercept: bool
    positive: bool
    strengths: Callable[[float], list[Strength]]
    start: Callable[[Float64Array], LinearModel]
    checkpoint: Callable[[int, Strength, LinearModel], Checkpoint | None]

    def solutions(self) -> list[Solution]:
        """The model of each penalty."""
        if self.descent.solver == "gram":
            return self._by_equations(self._moments())
        if self.dataset.n_features <= MOST_GRAM_FEATURES:
            return self._by_moments(self._moments())
        return self._by_rows()

    def _moments(self) -> SecondMoments:
        found, targets = ranges(self.dataset, n_outputs(self.dataset), self.fold)
        return second_moments(self.dataset, found, targets, self.fold)

    def _by_equations(self, moments: SecondMoments) -> list[Solution]:
        equations = NormalEquations.of(moments, self.fit_intercept)
        first_loss = float(equations.squares.sum()) / 2

        def solve(_: int, strength: Strength, start: LinearModel) -> Solution:
            found = equations.solve(
                *strength,
                positive=self.positive,
                start=start,
                max_iter=self.descent.max_iter,
                tol=self.descent.tol,
            )
            return Solution(found.model, found.n_iter, [first_loss], float(found.gaps.max()))

        return self._path(solve, moments.weight, moments.target_mean)

    def _by_moments(self, moments: SecondMoments) -> list[Solution]:
        squares = moments.gram.diagonal()
        if not self.fit_intercept:
            squares = squares + moments.mean**2
        solve = self._descending(MomentLoss(moments), moments.mean, squares)
        return self._path(solve, moments.weight, moments.target_mean)

    def _by_rows(self) -> list[Solution]:
        summary = summarize(self.dataset, n_outputs(self.dataset), self.fold)
        loss = RowLoss(HalfSquaredError(), summary)
        solve = self._descending(loss, summary.shift, summary.squares_about_shift)
        return self._path(solve, summary.moments.weight, summary.targets.middle)

    def _descending(
        self, loss: MeanLoss, shift: Float64Array, squares: Float64Array
    ) -> Callable[[int, Strength, LinearModel], Solution]:
        """How to descend to the model of a penalty."""

        def solve(number: int, strength: Strength, start: LinearModel) -> Solution:
            l1, l2 = strength
            curvature = np.ones(len(start.coef))
            problem = Problem(
                loss, shift, squares, curvature, L2(l2), L1(l1), self.fit_intercept, self.positive
            )
            saved = self.checkpoint(number, strength, start)
            fitted = problem.descend(self.descent, start, self.fold, saved, self.progress)
            return Solution(fitted.model, fitted.n_iter, fitted.loss_curve)

        return solve

    def _path(
        self,
        solve: Callable[[int, Strength, LinearModel], Solution],
        weight: float,
        target_mean: Float64Array,
    ) -> list[Solution]:
        """The model of each penalty; those of a path begin where the next stronger one ended."""
        first, *path = self.strengths(weight)
        start = self.start(target_mean if self.fit_intercept else np.zeros_like(target_mean))
        solutions = {0: solve(0, first, start)}
        for number in sorted(range(1, len(path) + 1), key=lambda i: path[i - 1], reverse=True):
            solutions[number] = solve(number, path[number - 1], start)
            start = solutions[number].model
        return [solutions[number] for number in range(len(solutions))]
