"""The distinct labels of a target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.block import Block
from shoal.data.target_classes import check_labels, is_text, label_counts, positions
from shoal.engines.statistic import Statistic
from shoal.exceptions import DataError
from shoal.statistics.exact_sum import ExactArray, exact_sums, rounded, whole

#: More labels than this are no classes but names of rows.
MOST_CLASSES = 10_000

#: Targets that are looked at first.
_FEW_TARGETS = 256


@dataclass(frozen=True, slots=True, eq=False)
class ClassWeights:
    """Labels and what the rows of each weigh.

    Attributes
    ----------
    labels : ndarray of shape (n_classes,)
        Sorted, of the type of the target.
    weights : ndarray of shape (n_classes,), float64
        Sum of the sample weights of each, or number of rows.
    """

    labels: AnyArray
    weights: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class ExactClassWeights:
    """Labels, and sums of weights in the units of `exact_sums`."""

    labels: AnyArray
    sums: ExactArray


@dataclass(frozen=True, slots=True)
class Classes(Statistic[ExactClassWeights | None, ClassWeights]):
    """The sorted distinct targets, and the sum of the weights of each.

    One pass, memory of the labels.

    Raises
    ------
    DataError
        In the pass: targets are not whole numbers, booleans or text, or there are more than
        10,000 different ones. From the result: there are no rows.
    """

    def zero(self) -> ExactClassWeights | None:
        return None

    def update(self, partial: ExactClassWeights | None, block: Block) -> ExactClassWeights | None:
        assert block.target is not None, "the dataset has no target"
        target = block.target.ravel()
        known = _first_labels(target) if partial is None else partial.labels
        counts = None if block.sample_weight is not None else _counts(known, target)
        if counts is not None:
            return self.merge(partial, ExactClassWeights(known, whole(counts)))
        labels, places = _labelled(target, known)
        return self.merge(partial, ExactClassWeights(labels, _sums(block, places, len(labels))))

    def merge(
        self, partial: ExactClassWeights | None, other: ExactClassWeights | None
    ) -> ExactClassWeights | None:
        if partial is None or other is None:
            return other if partial is None else partial
        if partial.labels is other.labels:
            return ExactClassWeights(partial.labels, partial.sums + other.sums)
        labels, places = distinct_labels([partial.labels, other.labels])
        check_count(labels)
        sums = np.zeros(len(labels), dtype=object)
        np.add.at(sums, places, np.concatenate([partial.sums, other.sums]))
        return ExactClassWeights(labels, sums)

    def result(self, partial: ExactClassWeights | None) -> ClassWeights:
        if partial is None:
            raise DataError("Found array with 0 sample(s): every row has a missing value.")
        return ClassWeights(partial.labels, rounded(partial.sums))


def _first_labels(target: AnyArray) -> AnyArray:
    """The sorted labels of the first targets: mostly all there are, without sorting all targets."""
    few = target[:_FEW_TARGETS]
    check_discrete(few)
    labels: AnyArray = np.unique(few)
    return labels


def _counts(known: AnyArray, target: AnyArray) -> Int64Array | None:
    """How many targets each known label has; None where there are others."""
    check_labels(target)
    return label_counts(known, target) if is_text(known) == is_text(target) else None


def _labelled(target: AnyArray, known: AnyArray) -> tuple[AnyArray, Int64Array]:
    """Sorted labels, and which of them each target is: the known ones where there are no others."""
    check_labels(target)
    if is_text(known) == is_text(target):
        places = positions(known, target)
        if (places >= 0).all():
            return known, places
    check_discrete(target)
    labels, places = np.unique(target, return_inverse=True)
    check_count(labels)
    return labels, places


def distinct_labels(parts: Sequence[AnyArray]) -> tuple[AnyArray, Int64Array]:
    """Sorted labels of all parts, and which of them each label is.

    Raises
    ------
    DataError
        Labels are of several kinds, such as text and numbers.
    """
    # Text beside numbers would make text of these.
    dtype = object if len({part.dtype.kind == "U" for part in parts}) > 1 else None
    joined = np.concatenate(parts, dtype=dtype)
    check_labels(joined)
    return np.unique(joined, return_inverse=True)


def _sums(block: Block, places: Int64Array, n_labels: int) -> ExactArray:
    """Sums of the weights of the rows of each label, shape (n_labels,)."""
    if block.sample_weight is None:
        return whole(np.bincount(places, minlength=n_labels))
    return exact_sums(block.sample_weight, places, n_labels)


def check_count(labels: AnyArray) -> None:
    """Raise DataError where there are too many labels to be those of classes."""
    if len(labels) > MOST_CLASSES:
        raise DataError(
            f"The target has more than {MOST_CLASSES:,} different labels, such as "
            f"{labels[:2].tolist()}: these are no classes. For numbers use a regressor."
        )


def check_discrete(target: AnyArray) -> None:
    """Raise DataError where targets name no classes."""
    check_labels(target)
    if target.dtype.kind == "f" and (target != np.floor(target)).any():
        value = target[(target != np.floor(target)).argmax()]
        raise DataError(
            f"Unknown label type: continuous. The target has values such as {value}, which are no "
            "classes: use a regressor, or make classes of them."
        )
