"""Classification by labels that spread on a graph of rows."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from shoal._typing import AnyArray, Float64Array
from shoal.data.predictions import write_predictions
from shoal.data.validation import fit_dataset, target_role
from shoal.neighbors.prediction import collected
from shoal.neighbors.targets import scored_rows
from shoal.semi_supervised.graph_model import GraphModel
from shoal.solvers.diffusion import DiffusionState
from shoal.solvers.fitting import restored_on_error
from shoal.statistics.known_targets import KnownLabels


class GraphClassifier(ClassifierMixin, GraphModel):
    """A classifier whose labels spread from rows that have one to rows that have none."""

    classes_: AnyArray
    label_distributions_: Float64Array

    @staticmethod
    @abstractmethod
    def _normalise(weights: Any) -> Any:
        """The graph that labels spread on, of the weights between rows; in place."""

    @abstractmethod
    def _settle(
        self, start: Float64Array, known: AnyArray
    ) -> Callable[[Float64Array], Float64Array]:
        """What becomes of labels that have come in; `known` says which rows have their own."""

    def fit(self, X: Any, y: Any = None, *, features: Sequence[str | int] | None = None) -> Self:
        """Spread labels to the rows that have none.

        Parameters
        ----------
        X : path, glob, folder, array-like, sparse matrix, data frame, Dask collection or Dataset
            Whatever `shoal.open_dataset` takes, of shape (n_rows, n_features).
        y : array-like of shape (n_rows,), or column name
            The label of each row: -1, None, NaN or null where it is unknown. Not needed where a
            Dataset has a target.
        features : sequence of str or int, default=None
            The columns that rows are compared by; all but `y` by default.

        Returns
        -------
        self
        """
        self._check_parameters()
        with restored_on_error(self):
            dataset = fit_dataset(self, X, target=target_role(self, X, y), features=features)
            found = KnownLabels.of(dataset)
            self.classes_ = found.classes
            known = found.codes >= 0
            start = np.zeros((dataset.n_rows, len(found.classes)))
            start[known, found.codes[known]] = 1
            self._diffuse(dataset, start, self._normalise, self._settle(start, known), X, y)
        return self

    def predict_proba(self, X: Any) -> Float64Array:
        """Give the share of each class in the distributions of the rows around, by their weights.

        Parameters
        ----------
        X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
            Rows with the features of the fit. Files may have more columns.

        Returns
        -------
        probabilities : ndarray of shape (n_queries, n_classes), float64
            In the order of ``classes_``; zeros where no label has come near.

        Raises
        ------
        NotFittedError, DataError, FileError
        """
        check_is_fitted(self)
        n_rows, sums = self._averages(X, self.label_distributions_)
        found: Float64Array = collected(n_rows, ((block, shares(found)) for block, found in sums))
        return found

    def predict(self, X: Any, *, out: str | PathLike[str] | None = None) -> Any:
        """Give the most likely class of each row, the first of equal ones.

        Parameters
        ----------
        X : as for `predict_proba`
        out : path, default=None
            A Parquet file to write instead: one column, ``label``, one row a row of `X`, null
            where a row was dropped. It appears whole or not at all.

        Returns
        -------
        labels : ndarray of shape (n_queries,), or pathlib.Path
            The path, with `out`.

        Raises
        ------
        NotFittedError, DataError, FileError
        """
        check_is_fitted(self)
        n_rows, sums = self._averages(X, self.label_distributions_, out)
        labels = ((block, self.classes_[found.argmax(axis=1)]) for block, found in sums)
        if out is not None:
            return write_predictions(out, "label", self.classes_.dtype, labels, n_rows)
        return collected(n_rows, labels)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Give the share of rows whose label is predicted.

        Memory of the targets and of as many predictions.

        Parameters
        ----------
        X : as for `predict`
        y : array-like of shape (n_rows,), or column name
            None where `X` is a Dataset with a target.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        accuracy : float

        Raises
        ------
        NotFittedError, DataError, FileError
        """
        check_is_fitted(self)
        X, y = scored_rows(self, X, y)
        return float(super().score(X, y, sample_weight))

    def _shown(self, state: DiffusionState) -> dict[str, Any]:
        distributions = shares(state.values)
        return {
            "X_": self.X_,
            "classes_": self.classes_,
            "label_distributions_": distributions,
            "transduction_": self.classes_[distributions.argmax(axis=1)],
            "n_iter_": state.n_iter,
        }


def shares(values: Float64Array) -> Float64Array:
    """Rows divided by their sums; those of zeros stay so."""
    # One class after the other: no order of a sum is left to NumPy.
    total = np.zeros((len(values), 1))
    for column in values.T:
        total[:, 0] += column
    total[total == 0] = 1
    found: Float64Array = values / total
    return found
