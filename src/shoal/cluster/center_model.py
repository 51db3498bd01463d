"""What a model of cluster centres does with new rows."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int32Array
from shoal._validation import check_choice, check_number
from shoal.callbacks import FitProgress
from shoal.cluster.initial_centers import InitialCenters
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.validation import fit_dataset, predict_dataset
from shoal.engines.current import current_engine
from shoal.engines.row_values import gathered, written
from shoal.solvers.fitting import passes_over, restored_on_error
from shoal.solvers.solver import Fold
from shoal.statistics.assignment import Assigned, Assignment
from shoal.statistics.center_search import CenterSearch
from shoal.statistics.nearest_center import assign
from shoal.statistics.range import Range


class CenterModel(
    ClassNamePrefixFeaturesOutMixin,
    CallbackSupportMixin,
    TransformerMixin,
    ClusterMixin,
    BaseEstimator,
    ABC,
):
    """Prediction by nearest centre, for estimators with ``cluster_centers_`` and ``metric``."""

    init: Any
    n_init: Any
    max_iter: int
    tol: float
    verbose: int
    metric: str
    cluster_centers_: AnyArray
    inertia_: float

    @abstractmethod
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the centres."""

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Int32Array:
        """Fit, and give the label of each row.

        Parameters
        ----------
        X, y, sample_weight : as for ``fit``

        Returns
        -------
        labels : ndarray of shape (n_rows,), int32
        """
        self.fit(X, y, sample_weight)
        labels: Int32Array = self.labels_ if hasattr(self, "labels_") else self.predict(X)
        return labels

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> AnyArray:
        """Fit, and give the distance of each row to each centre.

        Parameters
        ----------
        X, y, sample_weight : as for ``fit``

        Returns
        -------
        distances : ndarray of shape (n_rows, n_clusters)
        """
        return self.fit(X, y, sample_weight).transform(X)

    def predict(self, X: Any, *, out: str | PathLike[str] | None = None) -> Any:
        """Give the label of the nearest centre of each row.

        One pass. Distances are compared in float64, ties go to the lowest label: the result does
        not depend on blocks, threads or engine. Unlike scikit-learn's, it takes all that
        `shoal.open_dataset` takes, and writes labels of data larger than memory to a file.

        Parameters
        ----------
        X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
            Rows with the features of the fit. Files may have more columns.
        out : path, default=None
            A Parquet file to write instead: one column, ``label`` (int32), one row a row of `X`
            in the same order, null where a row was dropped. It appears whole or not at all.

        Returns
        -------
        labels : ndarray of shape (n_rows,), int32, or pathlib.Path
            The path, with `out`. Rows dropped by ``missing="drop"`` are labelled -1.

        Raises
        ------
        NotFittedError, DataError, FileError
        """
        dataset, centers = opened(self, X)
        labels = _Labels(centers, _middle(centers))
        if out is not None:
            return written(dataset, labels, out, "label", np.int32)
        return gathered(dataset, labels, np.int32, -1)

    def transform(self, X: Any) -> AnyArray:
        """Give the distance of each row to each centre.

        One pass; memory of the result. With ``metric="cosine"`` distances are 1 - cos.

        Parameters
        ----------
        X : as for `predict`

        Returns
        -------
        distances : ndarray of shape (n_rows, n_clusters)
            Of the type of the features; NaN for dropped rows.
        """
        dataset, centers = opened(self, X)
        distances = _Distances(centers, self.metric == "cosine")
        return gathered(dataset, distances, dataset.dtype, np.nan, (len(centers),))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Give the opposite of the inertia of `X`: the larger the better.

        Two passes.

        Parameters
        ----------
        X : as for `predict`
        y : ignored
        sample_weight : array-like of shape (n_rows,), or column name, default=None

        Returns
        -------
        score : float
        """
        dataset, centers = opened(self, X, sample_weight)
        engine = current_engine()
        found = engine.fold(dataset, Range(dataset.n_features))
        search = CenterSearch(centers, _middle(centers), "score", 0)
        inertia = engine.fold(dataset, Assignment.within(found, search)).inertia
        return -(inertia / 2 if self.metric == "cosine" else inertia)

    def _check_parameters(self) -> None:
        check_number(self, "n_clusters", 1, integer=True)
        check_number(self, "max_iter", 1, integer=True)
        check_number(self, "tol", 0)
        check_choice(self, "metric", ("euclidean", "cosine"))
        if isinstance(self.init, str):
            check_choice(self, "init", ("k-means++", "k-means||", "random"))
        if self.n_init != "auto":
            check_number(self, "n_init", 1, integer=True)

    def _n_runs(self, n_random: int) -> int:
        """How many first centres are tried; `n_random`, where they are drawn blindly."""
        is_given = InitialCenters.is_given(self.init)
        if self.n_init == "auto":
            return 1 if is_given or self.init in ("k-means++", "k-means||") else n_random
        if is_given and self.n_init != 1:
            warnings.warn(
                "Explicit initial center position passed: performing only one init in "
                f"{type(self).__name__} instead of n_init={self.n_init}.",
                RuntimeWarning,
                stacklevel=3,
            )
            return 1
        return int(self.n_init)

    @contextmanager
    def _fitting(
        self, X: Any, sample_weight: Any, features: Sequence[str | int] | None, n_runs: int
    ) -> Iterator[tuple[Dataset, Fold, FitProgress]]:
        """`X` as a dataset, a pass over it, and who is told; data are let go of at the end."""
        with restored_on_error(self):
            dataset = fit_dataset(self, X, sample_weight=sample_weight, features=features)
            if self.metric == "cosine":
                dataset = dataset.with_unit_rows()
            with passes_over(
                dataset, self, X, max_iter=self.max_iter, n_runs=n_runs, verbose=self.verbose
            ) as (fold, progress):
                yield dataset, fold, progress

    def _keep_assigned(self, assigned: Assigned) -> None:
        """Set inertia_ and labels_."""
        self.inertia_ = assigned.inertia / 2 if self.metric == "cosine" else assigned.inertia
        self.__dict__.pop("labels_", None)
        if assigned.labels is not None:
            self.labels_ = assigned.labels

    def _warn_of_empty_clusters(self, assigned: Assigned) -> None:
        n_found = int(np.count_nonzero(assigned.counts))
        if n_found < len(assigned.counts):
            warnings.warn(
                f"Number of distinct clusters ({n_found}) found smaller than n_clusters "
                f"({len(assigned.counts)}). Possibly due to duplicate points in X.",
                ConvergenceWarning,
                stacklevel=3,
            )

    @property
    def _n_features_out(self) -> int:
        """For get_feature_names_out."""
        return int(self.cluster_centers_.shape[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def opened(model: CenterModel, X: Any, sample_weight: Any = None) -> tuple[Dataset, AnyArray]:
    """The rows to predict for and the centres, of the wider of their types."""
    check_is_fitted(model)
    dataset = predict_dataset(model, X, sample_weight=sample_weight)
    dtype = np.result_type(dataset.dtype, model.cluster_centers_.dtype)
    dataset = replace(dataset, dtype=dtype, unit_rows=model.metric == "cosine")
    return dataset, np.ascontiguousarray(model.cluster_centers_, dtype=dtype)


def _middle(centers: AnyArray) -> Float64Array:
    """About the middle of the data, as far as the centres tell, shape (n_features,)."""
    middle: Float64Array = centers.mean(axis=0, dtype=np.float64)
    return middle


@dataclass(frozen=True, slots=True, eq=False)
class _Labels:
    """Labels of a block's rows, shape (n_rows,)."""

    centers: AnyArray
    shift: Float64Array

    def __call__(self, block: Block) -> Int32Array:
        labels = np.empty(block.n_rows, dtype=np.int32)
        assign(block.X, self.centers, self.shift, labels)
        return labels


@dataclass(frozen=True, slots=True, eq=False)
class _Distances:
    """Distances of a block's rows to each centre, shape (n_rows, n_clusters)."""

    centers: AnyArray
    cosine: bool

    def __call__(self, block: Block) -> AnyArray:
        X = block.X if isinstance(block.X, np.ndarray) else block.X.toarray()
        squared = np.empty((block.n_rows, len(self.centers)))
        _kernels.squared_distances(X, self.centers, squared)
        distances = squared / 2 if self.cosine else np.sqrt(squared)
        return distances.astype(X.dtype, copy=False)
