"""What a linear model does with new rows."""

from abc import ABC
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from shoal._typing import Float64Array
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.validation import predict_dataset
from shoal.statistics.raw_predictions import raw_predictions


class LinearPredictor(CallbackSupportMixin, BaseEstimator, ABC):
    """Raw predictions ``X @ coef_.T + intercept_`` of rows of any size, and what follows."""

    coef_: Float64Array
    intercept_: Float64Array | float

    def _raw(self) -> "RawPredictions":
        """The model as a function of a block."""
        coef = np.atleast_2d(self.coef_)
        intercept = np.broadcast_to(np.asarray(self.intercept_, dtype=np.float64), len(coef))
        return RawPredictions(
            np.ascontiguousarray(coef, dtype=np.float64), np.ascontiguousarray(intercept)
        )

    def _opened(self, X: Any, y: Any = None, sample_weight: Any = None) -> Dataset:
        """The rows to predict for."""
        check_is_fitted(self)
        return predict_dataset(self, X, target=y, sample_weight=sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@dataclass(frozen=True, slots=True, eq=False)
class RawPredictions:
    """Raw predictions of a block's rows, shape (n_rows, n_outputs), float64.

    Parameters
    ----------
    coef : ndarray of shape (n_outputs, n_features), float64
    intercept : ndarray of shape (n_outputs,), float64
    """

    coef: Float64Array
    intercept: Float64Array

    def __call__(self, block: Block) -> Float64Array:
        return raw_predictions(block, self.coef, self.intercept)
