"""What all models of neighbours share: their rows, and what is added to and taken from them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any, Self

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from shoal._typing import Int64Array
from shoal._validation import check_choice, check_number
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.files import check_apart
from shoal.data.validation import fit_dataset, predict_dataset
from shoal.exceptions import DataError
from shoal.neighbors.choice import ALGORITHMS, build_index
from shoal.neighbors.database import Database, checked_rows, query_batches
from shoal.neighbors.index import Index
from shoal.neighbors.stored_rows import restored_rows, stored_rows
from shoal.neighbors.targets import Targets
from shoal.solvers.fitting import restored_on_error
from shoal.statistics.metric import Metric
from shoal.statistics.range import look_at_all_rows


class NeighborModel(BaseEstimator, ABC):
    """An estimator that keeps its rows, and looks for neighbours among them."""

    algorithm: str
    leaf_size: int
    n_probe: int | None
    metric: Any
    p: float
    metric_params: dict[str, Any] | None
    n_jobs: int | None
    n_features_in_: int
    algorithm_: str

    @abstractmethod
    def _start(self, dataset: Dataset) -> None:
        """Learn what else is to be learnt of the first rows."""

    @abstractmethod
    def _extend(self, dataset: Dataset) -> None:
        """Learn it of rows that come on top."""

    @abstractmethod
    def _drop(self, rows: Int64Array) -> None:
        """Unlearn it of rows that go."""

    @abstractmethod
    def _keep_targets(self, targets: Targets) -> None:
        """Take the targets of all rows."""

    def forget(self, rows: Any) -> Self:
        """Forget some rows: what is left is the model fitted without them, to the last bit.

        Parameters
        ----------
        rows : array-like of int
            Numbers of the rows, from 0 in the order of the fit and of what was added since. The
            rows that stay close up and are numbered anew.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A row is not there or is named twice, or none would be left.
        """
        check_is_fitted(self, "index_")
        numbers = checked_rows(rows, self.n_samples_fit_)
        if len(numbers):
            with restored_on_error(self):
                self._drop(numbers)
                self._keep(self.index_.remove(numbers))
        return self

    def _stored(self) -> dict[str, Any]:
        """What a model file holds in place of the index: rows, and targets if there are any."""
        if not hasattr(self, "index_"):
            return {}
        targets: Targets | None = getattr(self, "_targets", None)
        return {
            "rows": stored_rows(self.index_.database),
            "targets": None if targets is None else targets.stored(),
        }

    def _restore(self, stored: Mapping[str, Any]) -> None:
        """Build the index anew from what a model file holds."""
        if stored["targets"] is not None:
            self._keep_targets(Targets.restored(stored["targets"]))
        metric = Metric.of(self.metric, self.p, self.metric_params)
        database = Database.of(restored_rows(stored["rows"]))
        self._keep(self._index(self.algorithm_, database, metric))

    def _fit_rows(self, X: Any, y: Any, features: Sequence[str | int] | None) -> Self:
        self._check_parameters()
        with restored_on_error(self):
            dataset = fit_dataset(self, X, target=y, features=features)
            metric = Metric.of(self.metric, self.p, self.metric_params)
            metric.check_width(dataset.n_features)
            _require_rows(dataset, metric)
            self.effective_metric_ = metric.name
            self.effective_metric_params_ = dict(metric.parameters)
            self._start(dataset)
            self._keep(self._index(self.algorithm, Database.of(dataset), metric))
        return self

    def _add_rows(self, X: Any, y: Any, features: Sequence[str | int] | None) -> Self:
        if not hasattr(self, "index_"):
            return self._fit_rows(X, y, features)
        with restored_on_error(self):
            dataset = predict_dataset(self, X, target=y)
            _require_rows(dataset, self._metric)
            self._extend(dataset)
            self._keep(self.index_.add(dataset))
        return self

    def _index(self, algorithm: str, database: Database, metric: Metric) -> Index:
        return build_index(algorithm, database, metric, self.leaf_size, self.n_probe)

    def _keep(self, index: Index) -> None:
        self.index_ = index
        self.n_samples_fit_ = index.database.n_rows
        self.algorithm_ = index.name

    @property
    def _metric(self) -> Metric:
        return self.index_.metric

    def _queries(
        self, X: Any, out: str | PathLike[str] | None = None
    ) -> tuple[int, Callable[[int], Iterator[Block]]]:
        """How many rows `X` has, and how to read them with so many bytes found for each.

        None stands for the model's own rows. FileError where `out`, for what is found, is a file
        of either.
        """
        check_is_fitted(self, "index_")
        database = self.index_.database
        if out is not None:
            check_apart(out, database.files)
        if X is None:
            return database.n_rows, partial(database.batches, self._metric)
        dataset = self.query_dataset(X)
        if out is not None:
            check_apart(out, dataset.files)
        return dataset.n_rows, partial(query_batches, dataset, absent=self._metric.absent)

    def query_dataset(self, X: Any) -> Dataset:
        """`X` as queries, of the type that they are compared with the model's rows in."""
        dataset = predict_dataset(self, X)
        dtype = self._metric.dtype(dataset.dtype, self.index_.database.dtype)
        return replace(dataset, dtype=dtype, unit_rows=self._metric.name == "cosine")

    def _check_parameters(self) -> None:
        check_choice(self, "algorithm", ALGORITHMS)
        check_number(self, "leaf_size", 1, integer=True)
        check_number(self, "n_probe", 1, integer=True, optional=True)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.metric == "precomputed"
        return tags


def _require_rows(dataset: Dataset, metric: Metric) -> None:
    """Raise DataError where a row is bad, now and not at the first query, or none is left."""
    if not look_at_all_rows(replace(dataset, unit_rows=metric.name == "cosine")):
        raise DataError("All rows have missing values: none is left to be a neighbour.")
