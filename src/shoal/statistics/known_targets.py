"""Targets of which only some are known."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from shoal._typing import AnyArray, Float64Array, Int32Array
from shoal.data.dataset import Dataset
from shoal.exceptions import DataError, NonFiniteError, SchemaError
from shoal.statistics.classes import check_count, check_discrete, distinct_labels

#: Stands for an unknown class, among codes and among labels that are numbers.
UNKNOWN = -1

#: Values of a target's column that are read at a time.
_ROWS_READ = 2**16


@dataclass(frozen=True, slots=True, eq=False)
class KnownLabels:
    """The classes of rows, as far as they are known.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    codes : ndarray of shape (n_rows,), int32
        The position among the classes of each row's label; -1 where it is unknown.
    """

    classes: AnyArray
    codes: Int32Array

    @classmethod
    def of(cls, dataset: Dataset) -> "KnownLabels":
        """Those of a dataset; reads the target's column alone, where it is one.

        A label is unknown where it is missing (None, NaN, null in a file), or the number -1.

        Raises
        ------
        DataError
            No label is known, or targets are no labels.
        """
        found = [_distinct(values) for values in target_values(dataset)]
        labels = [labels for labels, _ in found if len(labels)]
        if not labels:
            raise DataError(
                f"All {dataset.n_rows} labels are unknown (-1 or missing): there is nothing to "
                "learn from. Give the label of some row of each class."
            )
        classes, _ = distinct_labels(labels)
        check_count(classes)
        return cls(
            _restored(classes, dataset), np.concatenate([_codes(classes, *f) for f in found])
        )

    @property
    def n_known(self) -> int:
        return int(np.count_nonzero(self.codes != UNKNOWN))


def known_numbers(dataset: Dataset) -> Float64Array:
    """The targets of a dataset as numbers, NaN where unknown, shape (n_rows,).

    Raises
    ------
    DataError
        No number is known, or one is infinite.
    SchemaError
        Targets are no numbers.
    """
    try:
        values = np.concatenate([np.asarray(v, dtype=np.float64) for v in target_values(dataset)])
    except (TypeError, ValueError) as error:
        raise SchemaError(f"y of a regression must be numbers, or missing: {error}.") from error
    _check_finite(values)
    if np.isnan(values).all():
        raise DataError(
            f"All {dataset.n_rows} targets are unknown (NaN or missing): there is nothing to learn "
            "from. Give that of some row."
        )
    return values


def target_values(dataset: Dataset) -> Iterator[AnyArray]:
    """The targets in the order of rows, missing ones included."""
    target = dataset.target
    if isinstance(target, np.ndarray):
        if target.ndim > 1:
            raise DataError(
                f"y should be a 1d array, got an array of shape {target.shape} instead."
            )
        yield target
        return
    assert target is not None, "the dataset has no target"
    for cell in dataset.cells:
        for rows in dataset.source.read(cell, [target], _ROWS_READ):
            column = rows[0] if isinstance(rows, list) else rows
            yield np.asarray(column.todense() if sparse.issparse(column) else column).ravel()


def _distinct(values: AnyArray) -> tuple[AnyArray, Int32Array]:
    """The distinct known labels, sorted, and the position of each row's among them, or -1."""
    known = ~_unknown(values)
    if values.dtype.kind == "f":
        _check_finite(values)
    check_discrete(values[known])
    codes = np.full(len(values), UNKNOWN, dtype=np.int32)
    labels, codes[known] = np.unique(values[known], return_inverse=True)
    if labels.dtype == object:
        labels = np.array(labels.tolist(), dtype=object if _is_text(labels) else None)
    return labels, codes


def _check_finite(values: AnyArray) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        raise NonFiniteError(
            f"Input y contains infinity: {values[infinite.argmax()]}. Use NaN where y is unknown."
        )


def _unknown(values: AnyArray) -> AnyArray:
    """Which labels are unknown, shape (n_rows,)."""
    unknown: AnyArray = np.zeros(len(values), dtype=bool)
    if values.dtype.kind == "f":
        unknown = np.isnan(values)
    elif values.dtype == object:
        unknown = np.fromiter(map(_is_missing, values), dtype=bool, count=len(values))
    elif values.dtype.kind == "U" and (values == str(UNKNOWN)).any():
        raise DataError(
            f"y holds the text '{UNKNOWN}', which is a label like any other. Use None where the "
            "label of a row is unknown, in an array of dtype object."
        )
    if values.dtype.kind in "fiO":
        unknown[~unknown] = values[~unknown] == UNKNOWN
    return unknown


def _is_missing(label: Any) -> bool:
    """Whether a label is None, NaN, or pandas' NA, which does not say if it equals itself."""
    try:
        # NaN alone differs from itself.
        return label is None or bool(label != label)  # noqa: PLR0124
    except TypeError:
        return True


def _is_text(labels: AnyArray) -> bool:
    return any(isinstance(label, str) for label in labels[:1])


def _codes(classes: AnyArray, labels: AnyArray, codes: Int32Array) -> Int32Array:
    """Positions among `classes` of what had positions among `labels`."""
    # -1 finds what is appended at the end.
    places = np.append(np.searchsorted(classes, labels), UNKNOWN).astype(np.int32)
    found: Int32Array = places[codes]
    return found


def _restored(classes: AnyArray, dataset: Dataset) -> AnyArray:
    """Classes of the type of their column: missing values made floats of whole numbers."""
    if isinstance(dataset.target, int):
        dtype = dataset.source.columns[dataset.target].dtype
        return classes.astype(dtype) if dtype.kind in "iub" else classes
    return classes
