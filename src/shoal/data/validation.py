"""What an estimator is given, as a dataset, with names and counts checked as scikit-learn does."""

from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d, validate_data

from shoal.data.dataset import Dataset
from shoal.data.open import is_paths, open_dataset
from shoal.exceptions import ColumnError, DataError, ParameterError, SchemaError


def fit_dataset(
    estimator: Any,
    X: Any,
    *,
    target: Any = None,
    sample_weight: Any = None,
    features: Any = None,
) -> Dataset:
    """`X` opened as a dataset for ``fit``; sets ``n_features_in_`` and ``feature_names_in_``."""
    dataset = open_dataset(X, features=features, target=target, sample_weight=sample_weight)
    is_selection = dataset.n_features < len(dataset.source.columns)
    if isinstance(X, Dataset) or is_paths(X) or features is not None or is_selection:
        estimator.feature_names_in_ = np.array(dataset.feature_names, dtype=object)
        estimator.n_features_in_ = dataset.n_features
    else:
        _validate(estimator, X)
        # scikit-learn looks for a width before it knows that the rows make sense.
        estimator.n_features_in_ = dataset.n_features
    return dataset


def predict_dataset(
    estimator: Any, X: Any, *, target: Any = None, sample_weight: Any = None
) -> Dataset:
    """`X` opened as a dataset of the features that `estimator` was fitted with.

    Files may have more columns: those are passed over, as they are of frames with the target in a
    column. Values take the type of the fit, where they are of that type or both are floating.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and (is_paths(X) or is_column(target) or is_column(sample_weight)):
        return open_dataset(X, features=list(names), target=target, sample_weight=sample_weight)
    if isinstance(X, Dataset):
        if names is not None and tuple(names) != X.feature_names:
            raise ColumnError(
                "The feature names should match those that were passed during fit. Open the "
                f"dataset with features={list(names)!r}; it has {list(X.feature_names)!r}."
            )
        _check_count(estimator, X)
        return X
    dataset = open_dataset(X, target=target, sample_weight=sample_weight)
    if not is_paths(X):
        _validate(estimator, X, reset=False)
    _check_count(estimator, dataset)
    return dataset


def target_role(estimator: Any, X: Any, y: Any, *, multi_output: bool = False) -> Any:
    """`y` as the target that a dataset is opened with: a column of `X`, or values.

    Raises
    ------
    DataError
        There is no target, or it has several columns where one is needed.
    """
    if isinstance(X, Dataset):
        if y is not None:
            raise ParameterError("A Dataset has its target already: give it when it is opened.")
        if X.target is None:
            raise DataError("The dataset has no target: open it with open_dataset(..., target=).")
        return None
    if y is None:
        raise DataError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None."
        )
    if is_column(y):
        return y
    if hasattr(y, "compute"):
        y = y.compute()
    values = np.asarray(y)
    return values if multi_output and values.ndim == 2 else _one_target(estimator, values)


def _one_target(estimator: Any, values: Any) -> Any:
    """One target a row, of an array or of its only column."""
    try:
        return column_or_1d(values, warn=True)
    except ValueError as error:
        raise DataError(f"{error} {type(estimator).__name__} takes one target a row.") from error


def is_column(role: Any) -> bool:
    """Whether a target or weight is named, not given."""
    return isinstance(role, str | int | np.integer)


def _validate(estimator: Any, X: Any, *, reset: bool = True) -> None:
    """Let scikit-learn look at names and their number."""
    try:
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    except TypeError as error:
        raise SchemaError(str(error)) from error
    except ValueError as error:
        raise DataError(str(error)) from error


def _check_count(estimator: Any, dataset: Dataset) -> None:
    if dataset.n_features != estimator.n_features_in_:
        raise DataError(
            f"X has {dataset.n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
