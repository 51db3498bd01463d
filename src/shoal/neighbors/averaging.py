"""Regression by the neighbours' average."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from shoal._typing import Float64Array
from shoal.data.block import Block
from shoal.data.predictions import write_predictions
from shoal.neighbors.prediction import check_one_target, collected
from shoal.neighbors.search_progress import searching
from shoal.neighbors.supervised_neighbors import SupervisedNeighbors
from shoal.neighbors.targets import Targets, scored_rows


class AveragingRegressor(MultiOutputMixin, RegressorMixin, SupervisedNeighbors):
    """A regressor that averages the targets of rows."""

    @abstractmethod
    def _averaged(self, own: bool) -> Callable[[Block], Float64Array]:
        """How a batch's averages are found, shape (n_queries, n_outputs)."""

    def partial_fit(
        self, X: Any, y: Any = None, *, features: Sequence[str | int] | None = None
    ) -> Self:
        """Add rows: the model is that of a fit with all rows so far, to the last bit.

        Parameters
        ----------
        X, y, features : as for `fit`

        Returns
        -------
        self
        """
        return self._add_rows(X, y, features)

    def predict(self, X: Any, *, out: str | PathLike[str] | None = None) -> Any:
        """Give the weighted average of the neighbours' targets of each query.

        Parameters
        ----------
        X : path, array-like, sparse matrix, data frame, Dask collection, Dataset or None
            The queries. None: each of the model's rows, by all others.
        out : path, default=None
            A Parquet file to write instead: one column, ``prediction``, one row a row of `X`,
            null where a row was dropped. It appears whole or not at all.

        Returns
        -------
        predictions : ndarray of shape (n_queries,) or (n_queries, n_outputs), float64, or \
                pathlib.Path
            The path, with `out`.

        Raises
        ------
        NotFittedError, DataError, FileError
        """
        check_is_fitted(self, "index_")
        n_rows, batches = self._batches(X, out)
        averaged, shaped = self._averaged(X is None), self._targets.shaped
        with searching(self, n_rows) as search:
            predictions = ((block, shaped(averaged(block))) for block in search.over(batches))
            if out is not None:
                check_one_target(out, self._y.shape[1])
                return write_predictions(out, "prediction", np.float64, predictions, n_rows)
            return collected(n_rows, predictions)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Give the share of the variance that is explained, :math:`R^2`: 1 at best.

        Memory of the targets and of as many predictions.

        Parameters
        ----------
        X : as for `predict`
        y : array-like of shape (n_queries,) or (n_queries, n_outputs), or column name
            None where `X` is a Dataset with a target.
        sample_weight : array-like of shape (n_queries,), default=None

        Returns
        -------
        score : float

        Raises
        ------
        As `predict`.
        """
        check_is_fitted(self, "index_")
        X, y = scored_rows(self, X, y)
        return float(super().score(X, y, sample_weight))

    def _keep_targets(self, targets: Targets) -> None:
        self._targets, self._y = targets, targets.numbers()
