"""The distinct labels of a target."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import AnyArray, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.exceptions import DataError

#: More labels than this are no classes but names of rows.
MOST_CLASSES = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class ClassCounts:
    """Labels and how many rows have each.

    Attributes
    ----------
    labels : ndarray of shape (n_classes,)
        Sorted, of the type of the target.
    counts : ndarray of shape (n_classes,), int64
    """

    labels: AnyArray
    counts: Int64Array


@dataclass(frozen=True, slots=True)
class Classes(Statistic[ClassCounts | None, ClassCounts]):
    """The sorted distinct targets and their counts.

    One pass, memory of the labels.

    Raises
    ------
    DataError
        In the pass: targets are not whole numbers, booleans or text, or there are more than
        10,000 different ones. From the result: there are no rows.
    """

    def zero(self) -> ClassCounts | None:
        return None

    def update(self, partial: ClassCounts | None, block: Block) -> ClassCounts | None:
        assert block.target is not None, "the dataset has no target"
        target = block.target.ravel()
        _check_discrete(target)
        found = ClassCounts(*np.unique(target, return_counts=True))
        return self.merge(partial, found)

    def merge(self, partial: ClassCounts | None, other: ClassCounts | None) -> ClassCounts | None:
        if partial is None or other is None:
            return other if partial is None else partial
        labels, places = np.unique(
            np.concatenate([partial.labels, other.labels]), return_inverse=True
        )
        if len(labels) > MOST_CLASSES:
            raise DataError(
                f"The target has more than {MOST_CLASSES:,} different labels, such as "
                f"{labels[0]!r} and {labels[1]!r}: these are no classes. For numbers use a "
                "regressor."
            )
        counts = np.zeros(len(labels), dtype=np.int64)
        np.add.at(counts, places, np.concatenate([partial.counts, other.counts]))
        return ClassCounts(labels, counts)

    def result(self, partial: ClassCounts | None) -> ClassCounts:
        if partial is None:
            raise DataError("Found array with 0 sample(s): every row has a missing value.")
        return partial


def _check_discrete(target: AnyArray) -> None:
    if target.dtype.kind == "f" and (target != np.floor(target)).any():
        value = target[(target != np.floor(target)).argmax()]
        raise DataError(
            f"Unknown label type: continuous. The target has values such as {value}, which are no "
            "classes: use a regressor, or make classes of them."
        )
