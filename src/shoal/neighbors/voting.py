"""Classification by the neighbours' votes."""

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, MultiOutputMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import check_is_fitted

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.predictions import write_predictions
from shoal.exceptions import DataError
from shoal.neighbors.prediction import check_one_target, collected
from shoal.neighbors.search_progress import searching
from shoal.neighbors.supervised_neighbors import SupervisedNeighbors
from shoal.neighbors.targets import Targets, scored_rows


class VotingClassifier(MultiOutputMixin, ClassifierMixin, SupervisedNeighbors):
    """A classifier whose rows vote for their classes."""

    classes_: Any

    @abstractmethod
    def _voters(self, own: bool) -> Callable[[Block], tuple[Int64Array, Int64Array, Float64Array]]:
        """How a batch's voters are found: query, row and weight of each, query by query."""

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        classes: Any = None,
        *,
        features: Sequence[str | int] | None = None,
    ) -> Self:
        """Add rows: the model is that of a fit with all rows so far, to the last bit.

        Parameters
        ----------
        X, y, features : as for `fit`
        classes : ignored
            Here for scikit-learn's sake: the classes are those of the rows.

        Returns
        -------
        self
        """
        return self._add_rows(X, y, features)

    def predict(self, X: Any, *, out: str | PathLike[str] | None = None) -> Any:
        """Give the class with the most votes of each query, the first of equal ones.

        Parameters
        ----------
        X : path, array-like, sparse matrix, data frame, Dask collection, Dataset or None
            The queries. None: each of the model's rows, with the votes of all others.
        out : path, default=None
            A Parquet file to write instead: one column, ``label``, one row a row of `X`, null
            where a row was dropped. It appears whole or not at all.

        Returns
        -------
        labels : ndarray of shape (n_queries,) or (n_queries, n_outputs), or pathlib.Path
            The path, with `out`.

        Raises
        ------
        NotFittedError, DataError, FileError
        """
        check_is_fitted(self, "index_")
        n_rows, batches = self._batches(X, out)
        with searching(self, n_rows) as search:
            votes_of = self._votes(X, search.over(batches))
            predictions = ((block, self._labels(votes)) for block, votes in votes_of)
            if out is not None:
                check_one_target(out, len(self._classes))
                return write_predictions(out, "label", self._classes[0].dtype, predictions, n_rows)
            return collected(n_rows, predictions)

    def predict_proba(self, X: Any) -> Any:
        """Give the share of the votes that each class has.

        Parameters
        ----------
        X : as for `predict`

        Returns
        -------
        probabilities : ndarray of shape (n_queries, n_classes), or list of one for each output
            Of the classes in the order of ``classes_``.

        Raises
        ------
        As `predict`.
        """
        check_is_fitted(self, "index_")
        n_rows, batches = self._batches(X, None)
        with searching(self, n_rows) as search:
            parts = list(self._votes(X, search.over(batches)))
        shares = [
            collected(n_rows, ((block, _shares(votes[output])) for block, votes in parts))
            for output in range(len(self._classes))
        ]
        return shares[0] if self._targets.is_1d else shares

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Give the share of queries, by weight, whose label is predicted.

        Memory of the targets and of as many predictions.

        Parameters
        ----------
        X : as for `predict`
        y : array-like of shape (n_queries,) or (n_queries, n_outputs), or column name
            None where `X` is a Dataset with a target.
        sample_weight : array-like of shape (n_queries,), default=None

        Returns
        -------
        accuracy : float

        Raises
        ------
        As `predict`.
        """
        check_is_fitted(self, "index_")
        X, y = scored_rows(self, X, y)
        return float(super().score(X, y, sample_weight))

    def _votes(
        self, X: Any, batches: Iterator[Block]
    ) -> Iterator[tuple[Block, list[Float64Array]]]:
        """Votes for each class, shape (n_queries, n_classes), of each output."""
        voters = self._voters(X is None)
        for block in batches:
            queries, rows, weights = voters(block)
            yield (
                block,
                [
                    self._counted(output, block.n_rows, queries, rows, weights)
                    for output in range(len(self._classes))
                ],
            )

    def _counted(
        self,
        output: int,
        n_queries: int,
        queries: Int64Array,
        rows: Int64Array,
        weights: Float64Array,
    ) -> Float64Array:
        """Votes of one output; those for a class are added in the order of the neighbours."""
        n_classes = len(self._classes[output])
        place = queries * n_classes + self._codes[rows, output]
        votes: Float64Array = np.zeros(n_queries * n_classes)
        np.add.at(votes, place, weights)
        return votes.reshape(n_queries, n_classes)

    def _labels(self, votes: list[Float64Array]) -> AnyArray:
        """The class with the most votes, in the shape of the targets."""
        winners = [
            classes[one.argmax(axis=1)] for classes, one in zip(self._classes, votes, strict=True)
        ]
        return self._targets.shaped(np.stack(winners, axis=1))

    @property
    def _classes(self) -> list[AnyArray]:
        return [self.classes_] if self._targets.is_1d else self.classes_

    def _start(self, dataset: Dataset) -> None:
        targets = Targets.of(dataset)
        if not targets.is_1d and targets.values.shape[1] == 1:
            warnings.warn(
                "A column-vector y was passed when a 1d array was expected. Please change the "
                "shape of y to (n_samples,), for example using ravel().",
                DataConversionWarning,
                stacklevel=5,
            )
            targets = Targets(targets.values, is_1d=True)
        self._keep_targets(targets)

    def _keep_targets(self, targets: Targets) -> None:
        classes, self._codes = targets.classes()
        self._targets = targets
        self.outputs_2d_ = not targets.is_1d
        self.classes_ = classes[0] if targets.is_1d else classes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def check_votes(weights: Float64Array, queries: Int64Array, n_queries: int) -> None:
    """Raise DataError where nobody's vote counts."""
    if (np.bincount(queries, weights != 0, minlength=n_queries) == 0).any():
        raise DataError(
            "All neighbors of some sample is getting zero weights. Please modify 'weights' to "
            "avoid this case if you are using a user-defined function."
        )


def _shares(votes: Float64Array) -> Float64Array:
    """Votes divided by their sum; rows without votes stay 0."""
    total = votes.sum(axis=1, keepdims=True)
    shares: Float64Array = np.divide(votes, total, out=np.zeros_like(votes), where=total != 0)
    return shares
