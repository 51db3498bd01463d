"""A penalised linear model that is to be fitted by descent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal import _archive
from shoal._typing import Float64Array
from shoal.callbacks import FitProgress
from shoal.data.dataset import Dataset
from shoal.linear_model.coordinates import Coordinates
from shoal.linear_model.descent import Descent
from shoal.linear_model.linear_objective import LinearObjective
from shoal.linear_model.mean_loss import MeanLoss
from shoal.penalties import L1, L2
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.solver import Fold


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """Coefficients (n_outputs, n_features) and intercepts (n_outputs,), float64."""

    coef: Float64Array
    intercept: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class FittedModel:
    """A model and how it was found."""

    model: LinearModel
    n_iter: int
    loss_curve: list[float]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    r"""The minimum of a mean loss of ``W (x - shift) + b``, plus a penalty on W.

    Parameters
    ----------
    loss : MeanLoss
    shift : ndarray of shape (n_features,), float64
        Of the loss.
    squares : ndarray of shape (n_features,), float64
        Mean squares of the features about it.
    curvature : ndarray of shape (n_outputs,), float64
        About the second derivative of the loss by each raw prediction; above 0. With `squares` and
        `l2` it is the diagonal of the Hessian, which solvers are spared by their coordinates.
    l2 : L2
    l1 : L1
    fit_intercept : bool
    positive : bool, default=False
        Whether coefficients must not be negative.
    """

    loss: MeanLoss
    shift: Float64Array
    squares: Float64Array
    curvature: Float64Array
    l2: L2
    l1: L1
    fit_intercept: bool
    positive: bool = False

    def descend(
        self,
        descent: Descent,
        start: LinearModel,
        fold: Fold,
        checkpoint: Checkpoint | None,
        progress: FitProgress,
    ) -> FittedModel:
        """Fit from `start`."""
        coordinates = self._coordinates(descent)
        objective = LinearObjective(self.loss, self.l2, self.l1, coordinates, self.positive)
        found = descent.run(
            objective,
            coordinates.parameters(start.coef, start.intercept + self._at_shift(start.coef)),
            fold,
            checkpoint,
            progress,
            lambda parameters: attributes(self._model(coordinates, parameters)),
        )
        model = self._model(coordinates, found.parameters)
        return FittedModel(model, found.n_iter, found.loss_curve)

    def _coordinates(self, descent: Descent) -> Coordinates:
        if descent.is_textbook:
            return Coordinates.original(self.shift, len(self.curvature), self.fit_intercept)
        curvature = self.curvature[:, None] * self.squares + self.l2.curvature
        return Coordinates.of_curvature(self.shift, curvature, self.curvature, self.fit_intercept)

    def _at_shift(self, coef: Float64Array) -> Float64Array:
        """What coefficients predict at the shift, shape (n_outputs,)."""
        found: Float64Array = (coef * self.shift).sum(axis=1)
        return found

    def _model(self, coordinates: Coordinates, parameters: Float64Array) -> LinearModel:
        coef, at_shift = coordinates.model(parameters)
        if not self.fit_intercept:
            return LinearModel(coef, np.zeros(len(coef)))
        return LinearModel(coef, at_shift - self._at_shift(coef))


def attributes(model: LinearModel) -> Mapping[str, Any]:
    """The fitted attributes that callbacks ask for."""
    return {"coef_": model.coef, "intercept_": model.intercept}


def started(estimator: Any, shape: tuple[int, int], intercept: Float64Array) -> LinearModel:
    """Where a fit begins: at the last model with ``warm_start``, else at this constant one."""
    if getattr(estimator, "warm_start", False) and hasattr(estimator, "coef_"):
        coef = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
        if coef.shape == shape:
            at = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64), len(coef))
            return LinearModel(coef.copy(), at.copy())
    return LinearModel(np.zeros(shape), intercept)


def kept_at(
    path: Any, estimator: Any, dataset: Dataset, course: tuple[Any, ...], start: LinearModel
) -> Checkpoint | None:
    """The checkpoint of a descent, refused for other data or another course of it.

    `course` holds what the course depends on, beside data and start.
    """
    if path is None:
        return None
    made_for = (type(estimator).__name__, repr(course), start.coef, start.intercept)
    fingerprint = _archive.fingerprint(made_for)
    return Checkpoint(path, data=dataset.fingerprint, parameters=fingerprint)
