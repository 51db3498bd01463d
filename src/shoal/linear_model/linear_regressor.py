"""Predictions and scores of linear regressors."""

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from shoal._typing import Float64Array
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.validation import target_role
from shoal.engines.current import current_engine
from shoal.engines.row_values import gathered, written
from shoal.linear_model.linear_predictor import (
    LinearPredictor,
    RawPredictions,
)
from shoal.linear_model.target import TargetSums, numeric_target, weights_of
from shoal.losses import HalfSquaredError, Loss
from shoal.statistics.exact_sum import ExactSum
from shoal.statistics.target_range import targets_of

#: Of a target (n_rows, n_outputs) and its prediction, what of each row is to be small.
Deviance = Callable[[Float64Array, Float64Array], Float64Array]


class LinearRegressor(RegressorMixin, LinearPredictor, ABC):
    """Prediction by a linear model, through the inverse link of its loss."""

    def predict(self, X: Any, *, out: str | PathLike[str] | None = None) -> Any:
        """Predict the target of each row.

        One pass. Unlike scikit-learn's, it takes all that `shoal.open_dataset` takes, and writes
        predictions of data larger than memory to a file.

        Parameters
        ----------
        X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
            Rows with the features of the fit. Files may have more columns.
        out : path, default=None
            A Parquet file to write instead: one column, ``prediction`` (float64), one row a row of
            `X` in the same order, null where a row was dropped. It appears whole or not at all.

        Returns
        -------
        predictions : ndarray of shape (n_rows,) or (n_rows, n_outputs), float64, or pathlib.Path
            The path, with `out`. NaN for rows dropped by ``missing="drop"``.

        Raises
        ------
        NotFittedError, DataError, FileError
        """
        dataset = self._opened(X)
        predictions = _Predictions(self._raw(), self._loss(), np.ndim(self.coef_) == 1)
        if out is not None:
            return written(dataset, predictions, out, "prediction", np.float64)
        shape = self.coef_.shape[:-1]
        return gathered(dataset, predictions, np.float64, np.nan, shape)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        r"""Give the share of the variance that is explained: :math:`R^2`, 1 at best.

        .. math:: 1 - \frac{\sum_i w_i (y_i - \hat y_i)^2}{\sum_i w_i (y_i - \bar y)^2}

        averaged over outputs. Two passes, no memory: rows may be any number.

        Parameters
        ----------
        X : as for `predict`
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), or column name
            None where `X` is a Dataset.
        sample_weight : array-like of shape (n_rows,), or column name, default=None

        Returns
        -------
        score : float
        """
        return self._explained(X, y, sample_weight, _squared_error)

    def _loss(self) -> Loss:
        """The loss whose inverse link gives predictions."""
        return HalfSquaredError()

    def _explained(self, X: Any, y: Any, sample_weight: Any, deviance: Deviance) -> float:
        """By how much a deviance is smaller than that of a constant, as a share of the latter."""
        role = numeric_target(target_role(self, X, y, multi_output=True))
        dataset = self._opened(X, role, sample_weight)
        raw, n_outputs = self._raw(), len(np.atleast_2d(self.coef_))
        sums = ExactSum(TargetSums(), n_outputs + 1)
        totals = current_engine().fold(_target_alone(dataset), sums)
        about = _Deviances(raw, self._loss(), totals[1:] / totals[0], deviance)
        left = current_engine().fold(dataset, ExactSum(about, 2 * n_outputs))
        of_model, of_mean = left[:n_outputs], left[n_outputs:]
        # scikit-learn's convention for targets that are all the same.
        perfect = np.where(of_model > 0, 0.0, 1.0)
        ratio = np.divide(of_model, of_mean, out=1 - perfect, where=of_mean > 0)
        return float((1 - ratio).mean())


def _target_alone(dataset: Dataset) -> Dataset:
    """The dataset with one feature, where that changes no row."""
    return dataset if dataset.missing == "drop" else replace(dataset, features=dataset.features[:1])


def _squared_error(target: Float64Array, prediction: Float64Array) -> Float64Array:
    return (target - prediction) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class _Predictions:
    """Predictions of a block's rows, shape (n_rows, n_outputs) or (n_rows,)."""

    raw: RawPredictions
    loss: Loss
    flat: bool

    def __call__(self, block: Block) -> Float64Array:
        predictions = self.loss.inverse_link(self.raw(block))
        return predictions[:, 0] if self.flat else predictions


@dataclass(frozen=True, slots=True, eq=False)
class _Deviances:
    """Weighted deviances from prediction and mean, shape (2 n_outputs, n_rows)."""

    raw: RawPredictions
    loss: Loss
    mean: Float64Array
    deviance: Deviance

    def __call__(self, block: Block) -> Float64Array:
        target = targets_of(block)
        prediction = self.loss.inverse_link(self.raw(block))
        of_model = self.deviance(target, prediction)
        of_mean = self.deviance(target, np.broadcast_to(self.mean, target.shape))
        return weights_of(block) * np.vstack([of_model.T, of_mean.T])
