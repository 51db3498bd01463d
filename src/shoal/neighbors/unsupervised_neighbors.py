"""Neighbours whose rows have no targets."""

from collections.abc import Sequence
from typing import Any, Self

from shoal._typing import Int64Array
from shoal.data.dataset import Dataset
from shoal.neighbors.neighbor_model import NeighborModel
from shoal.neighbors.targets import Targets


class UnsupervisedNeighbors(NeighborModel):
    """A model of rows alone."""

    def fit(self, X: Any, y: Any = None, *, features: Sequence[str | int] | None = None) -> Self:
        """Take the rows to look among.

        Parameters
        ----------
        X : path, glob, folder, array-like, sparse matrix, data frame, Dask collection or Dataset
            Whatever `shoal.open_dataset` takes, of shape (n_rows, n_features).
        y : ignored
        features : sequence of str or int, default=None
            The columns that distances are taken by; all by default.

        Returns
        -------
        self
        """
        return self._fit_rows(X, None, features)

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
        return self._add_rows(X, None, features)

    def _start(self, dataset: Dataset) -> None:
        pass

    def _extend(self, dataset: Dataset) -> None:
        pass

    def _drop(self, rows: Int64Array) -> None:
        pass

    def _keep_targets(self, targets: Targets) -> None:
        pass
