"""Targets that are labels of classes, as the numbers that losses take."""

from dataclasses import dataclass
from numbers import Real

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.exceptions import DataError

#: Up to so many labels, comparing all targets with each is faster than to search for each target.
_FEW_LABELS = 8

#: Labels that kernels compare, and as what; others wait for Python.
_COMPARED = {
    np.dtype(np.bool_): np.int8,
    np.dtype(np.int8): np.int8,
    np.dtype(np.int32): np.int32,
    np.dtype(np.int64): np.int64,
    np.dtype(np.float32): np.float32,
    np.dtype(np.float64): np.float64,
}


def without_objects(values: AnyArray) -> AnyArray:
    """The same values as numbers or booleans, where all objects are such."""
    is_plain = values.dtype == object and values.size and _kinds(values) in ({bool}, {Real})
    return np.array(values.tolist()) if is_plain else values


def check_labels(values: AnyArray) -> None:
    """Raise DataError unless labels are numbers, booleans or text, all of one kind."""
    kinds = {bytes} if values.dtype.kind == "S" else _kinds(values)
    if len(kinds) > 1 or not kinds <= {bool, Real, str}:
        raise DataError(
            "Labels must be numbers, booleans or text, all of one kind, but there are "
            f"{', '.join(sorted({type(value).__name__ for value in values.ravel().tolist()}))}. "
            "Convert them, for example to text."
        )


def check_comparable(labels: AnyArray, target: AnyArray) -> None:
    """Raise DataError where either labels or targets are text: none would be equal."""
    if len(target) and is_text(labels) != is_text(target):
        raise DataError(
            f"The target has labels such as {target.tolist()[0]!r}, but the model learnt "
            f"{labels.tolist()[:2]}: text and numbers are never equal. Convert the target."
        )


def is_text(values: AnyArray) -> bool:
    """Whether labels are text, if they are all of one kind."""
    return values.dtype.kind == "U" or str in _kinds(values[:1])


def _kinds(values: AnyArray) -> set[type]:
    """The kinds of the objects of an array, bool, Real, str or others; of other arrays, none."""
    types = set(map(type, values.flat)) if values.dtype == object else set()
    return {_kind(found) for found in types}


def _kind(found: type) -> type:
    if issubclass(found, bool | np.bool_):
        return bool
    return next((kind for kind in (Real, str) if issubclass(found, kind)), found)


def positions(labels: AnyArray, target: AnyArray) -> Int64Array:
    """Where among sorted labels each target is, shape (n_rows,); -1 where it is none of them."""
    if len(labels) > _FEW_LABELS:
        found = np.minimum(np.searchsorted(labels, target), len(labels) - 1)
        return np.where(labels[found] == target, found, -1)
    # At most one label is the target: arithmetic on bytes takes a fifth of masked stores of words.
    places = np.full(len(target), -1, dtype=np.int8)
    for place, label in enumerate(labels):
        places += (target == label) * np.int8(place + 1)
    return places.astype(np.int64)


def label_counts(labels: AnyArray, target: AnyArray) -> Int64Array | None:
    """How many targets each of sorted labels has; None where some target is none of them."""
    compared = _compared(labels, target)
    if compared is None:
        places = positions(labels, target)
        if len(places) and places.min() < 0:
            return None
        return np.bincount(places, minlength=len(labels))
    counts = np.zeros(len(labels), dtype=np.int64)
    return counts if _kernels.count_labels(*compared, counts) else None


def label_values(labels: AnyArray, values: Float64Array, target: AnyArray) -> Float64Array | None:
    """The value of each target's label; None where some target is none of the sorted labels."""
    compared = _compared(labels, target)
    if compared is None:
        places = positions(labels, target)
        return None if len(places) and places.min() < 0 else values[places]
    found = np.empty(len(target))
    return found if _kernels.label_values(*compared, values, found) else None


def _compared(labels: AnyArray, target: AnyArray) -> tuple[AnyArray, AnyArray] | None:
    """Targets and labels as kernels compare them; None where these do not, or not as fast."""
    dtype = _COMPARED.get(labels.dtype) if labels.dtype == target.dtype else None
    if dtype is None or len(labels) > _FEW_LABELS or target.ndim > 1:
        return None
    return np.ascontiguousarray(target).view(dtype), np.ascontiguousarray(labels).view(dtype)


@dataclass(frozen=True, slots=True, eq=False)
class TargetClasses:
    """Turns labels into numbers, and weighs rows by their class.

    Parameters
    ----------
    labels : ndarray of shape (n_classes,)
        Sorted and distinct, of any type that can be compared.
    codes : ndarray of shape (n_classes,), float64
        The number that stands for each class.
    weights : ndarray of shape (n_classes,), float64, default=None
        What the weight of each row is multiplied by.

    Examples
    --------
    >>> classes = TargetClasses(np.array(["ham", "spam"]), np.array([-1.0, 1.0]))
    >>> positions = classes.positions(np.array(["spam", "ham", "eggs"]))
    >>> positions
    array([ 1,  0, -1])
    >>> classes.codes[positions[:2]]
    array([ 1., -1.])
    """

    labels: AnyArray
    codes: Float64Array
    weights: Float64Array | None = None

    def positions(self, target: AnyArray) -> Int64Array:
        """Where among the labels each target is, -1 where it is none of them."""
        return positions(self.labels, target)

    def __repr__(self) -> str:
        # Part of a dataset's fingerprint, so nothing may be left out.
        weights = None if self.weights is None else self.weights.tolist()
        return f"TargetClasses({self.labels.tolist()}, {self.codes.tolist()}, {weights})"
