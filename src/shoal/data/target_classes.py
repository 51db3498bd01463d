"""Targets that are labels of classes, as the numbers that losses take."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int64Array

#: Up to so many labels, comparing all targets with each is faster than to search for each target.
_FEW_LABELS = 8


def positions(labels: AnyArray, target: AnyArray) -> Int64Array:
    """Where among sorted labels each target is, shape (n_rows,); -1 where it is none of them."""
    if len(labels) > _FEW_LABELS:
        found = np.minimum(np.searchsorted(labels, target), len(labels) - 1)
        return np.where(labels[found] == target, found, -1)
    # Each target is one label at most, so the places of all that it is add up.
    places = np.full(len(target), -1, dtype=np.int8)
    for place, label in enumerate(labels):
        places += (target == label).view(np.int8) * np.int8(place + 1)
    return places.astype(np.int64)


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
