"""Neighbours whose rows have targets."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any, Self

from shoal._typing import Int64Array
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.neighbors.neighbor_model import NeighborModel
from shoal.neighbors.targets import Targets
from shoal.neighbors.weights import Weights, check_weights


class SupervisedNeighbors(NeighborModel):
    """A model that predicts from the targets of neighbours."""

    weights: Weights
    _targets: Targets

    @abstractmethod
    def _batches(self, X: Any, out: str | PathLike[str] | None) -> tuple[int, Iterator[Block]]:
        """How many queries there are, and these batch by batch, if `out` is no file of theirs."""

    def fit(self, X: Any, y: Any = None, *, features: Sequence[str | int] | None = None) -> Self:
        """Take the rows and their targets.

        Parameters
        ----------
        X : path, glob, folder, array-like, sparse matrix, data frame, Dask collection or Dataset
            Whatever `shoal.open_dataset` takes, of shape (n_rows, n_features).
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), or column name
            The target or class of each row; not needed where a Dataset has a target.
        features : sequence of str or int, default=None
            The columns that distances are taken by; all but `y` by default.

        Returns
        -------
        self
        """
        return self._fit_rows(X, y, features)

    def _start(self, dataset: Dataset) -> None:
        self._keep_targets(Targets.of(dataset))

    def _extend(self, dataset: Dataset) -> None:
        self._keep_targets(self._targets.add(Targets.of(dataset)))

    def _drop(self, rows: Int64Array) -> None:
        self._keep_targets(self._targets.remove(rows))

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_weights(self.weights)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
