"""Decisions, probabilities and scores of linear classifiers."""

from abc import ABC
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.block import Block
from shoal.data.target_classes import check_comparable
from shoal.data.validation import target_role
from shoal.engines.current import current_engine
from shoal.engines.row_values import gathered, written
from shoal.exceptions import DataError
from shoal.linear_model.linear_predictor import (
    LinearPredictor,
    RawPredictions,
)
from shoal.linear_model.target import weights_of
from shoal.losses import Loss
from shoal.statistics.exact_sum import ExactSum


class LinearClassifier(ClassifierMixin, LinearPredictor, ABC):
    """Decisions by the largest raw prediction; of two classes, by the sign of the one there is."""

    classes_: AnyArray

    def decision_function(self, X: Any) -> Float64Array:
        """Give the raw prediction of each class.

        One pass, memory of the result.

        Parameters
        ----------
        X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
            Rows with the features of the fit. Files may have more columns.

        Returns
        -------
        scores : ndarray of shape (n_rows,) or (n_rows, n_classes), float64
            Of two classes, that of the second: above 0 where it is predicted. NaN for rows
            dropped by ``missing="drop"``.
        """
        dataset = self._opened(X)
        raw = self._raw()
        scores = gathered(dataset, raw, np.float64, np.nan, raw.intercept.shape)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any, *, out: str | PathLike[str] | None = None) -> Any:
        """Predict the label of each row.

        One pass. Unlike scikit-learn's, it takes all that `shoal.open_dataset` takes, and writes
        labels of data larger than memory to a file.

        Parameters
        ----------
        X : as for `decision_function`
        out : path, default=None
            A Parquet file to write instead: one column, ``label``, of the type of the labels of the
            fit, one row a row of `X` in the same order, null where a row was dropped. It appears
            whole or not at all.

        Returns
        -------
        labels : ndarray of shape (n_rows,), or pathlib.Path
            Of the type of ``classes_``; the path, with `out`.

        Raises
        ------
        NotFittedError, DataError, FileError
            DataError also where rows were dropped and there is no `out`: no label says so.
        """
        dataset = self._opened(X)
        positions = _Positions(self._raw())
        if out is not None:
            labels = _Labels(positions, self.classes_)
            return written(dataset, labels, out, "label", self.classes_.dtype)
        found = gathered(dataset, positions, np.int64, -1)
        if (found < 0).any():
            raise DataError(
                f"Row {int((found < 0).argmax())} has a missing value, so that there is no label "
                "for it. Write labels to a file with out=, where it is null, or fill values in."
            )
        return self.classes_[found]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Give the share of rows, by weight, whose label is predicted.

        One pass, no memory: rows may be any number.

        Parameters
        ----------
        X : as for `decision_function`
        y : array-like of shape (n_rows,), or column name
            None where `X` is a Dataset.
        sample_weight : array-like of shape (n_rows,), or column name, default=None

        Returns
        -------
        accuracy : float
        """
        check_is_fitted(self)
        dataset = self._opened(X, target_role(self, X, y), sample_weight)
        sums = ExactSum(Hits(self._raw(), self.classes_), 2)
        right, total = current_engine().fold(dataset, sums)
        return float(right / total)


@dataclass(frozen=True, slots=True, eq=False)
class Probabilities:
    """Probabilities of the classes for a block's rows, shape (n_rows, n_classes), float64.

    Parameters
    ----------
    raw : RawPredictions
    loss : Loss
        Whose inverse link gives the probabilities of all classes, or that of the second of two.
    """

    raw: RawPredictions
    loss: Loss

    def __call__(self, block: Block) -> Float64Array:
        found = self.loss.inverse_link(self.raw(block))
        if found.shape[1] > 1:
            return found
        # Not 1 - p, which would lose the digits of small probabilities.
        return np.hstack([self.loss.inverse_link(-self.raw(block)), found])


@dataclass(frozen=True, slots=True, eq=False)
class _Positions:
    """Positions of the predicted classes of a block's rows, shape (n_rows,)."""

    raw: RawPredictions

    def __call__(self, block: Block) -> Int64Array:
        raw = self.raw(block)
        found = raw[:, 0] > 0 if raw.shape[1] == 1 else raw.argmax(axis=1)
        return found.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Labels:
    """Predicted labels of a block's rows, shape (n_rows,)."""

    positions: _Positions
    classes: AnyArray

    def __call__(self, block: Block) -> AnyArray:
        return self.classes[self.positions(block)]


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Weights of rows whose label is predicted, and of all rows, shape (2, n_rows).

    Parameters
    ----------
    raw : RawPredictions
    labels : ndarray of shape (n_classes,)
        As the target has them.
    """

    raw: RawPredictions
    labels: AnyArray

    def __call__(self, block: Block) -> Float64Array:
        assert block.target is not None
        weight = weights_of(block)
        predicted = _Labels(_Positions(self.raw), self.labels)(block)
        target = block.target.ravel()
        check_comparable(self.labels, target)
        return np.stack([weight * (predicted == target), weight])
