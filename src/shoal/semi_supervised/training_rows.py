"""Rows of which an estimator is fitted to some, and asked about others."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from shoal._typing import AnyArray, Float64Array, Matrix
from shoal.data.dataset import Dataset
from shoal.engines.current import current_engine

#: About so many rows are asked about at a time.
_ROWS_ASKED = 2**20


class TrainingRows(ABC):
    """Rows as an estimator takes them."""

    @abstractmethod
    def fit(self, estimator: Any, which: AnyArray, labels: AnyArray) -> None:
        """Fit to the rows where `which`, (n_rows,), is true; they have these labels, in order."""

    @abstractmethod
    def probabilities(self, estimator: Any, which: AnyArray) -> Iterator[Float64Array]:
        """What it makes of the rows where `which` is true, some after the other, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldRows(TrainingRows):
    """Rows in memory, for any estimator that has scikit-learn's methods."""

    X: Matrix

    def fit(self, estimator: Any, which: AnyArray, labels: AnyArray) -> None:
        estimator.fit(self.X[which], labels)

    def probabilities(self, estimator: Any, which: AnyArray) -> Iterator[Float64Array]:
        yield estimator.predict_proba(self.X[which])


@dataclass(frozen=True, slots=True, eq=False)
class StreamedRows(TrainingRows):
    """Rows wherever they are, for estimators of Shoal: each call is passes over some of them."""

    dataset: Dataset

    def fit(self, estimator: Any, which: AnyArray, labels: AnyArray) -> None:
        part = self.dataset.selected(which).with_target(labels)
        estimator.fit(part)
        current_engine().release(part)

    def probabilities(self, estimator: Any, which: AnyArray) -> Iterator[Float64Array]:
        for run in self._runs():
            here = np.zeros_like(which)
            here[run] = which[run]
            if here.any():
                part = self.dataset.selected(here)
                yield estimator.predict_proba(part)
                current_engine().release(part)

    def _runs(self) -> Iterator[slice]:
        """Runs of whole cells, which are read by themselves."""
        cells = self.dataset.cells
        for _, group in groupby(cells, lambda cell: cell.first_row // _ROWS_ASKED):
            members = list(group)
            yield slice(members[0].first_row, members[-1].first_row + members[-1].n_rows)
