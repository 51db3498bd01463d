"""What ``fit`` and ``score`` are given to predict."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from shoal._typing import Float64Array
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.target_classes import TargetClasses
from shoal.engines.current import current_engine
from shoal.exceptions import DataError, ParameterError, SchemaError
from shoal.statistics.classes import Classes, ClassWeights
from shoal.statistics.target_range import targets_of

#: What rows of a class weigh, by label; or in inverse proportion to the weight of its rows.
ClassWeight: TypeAlias = Mapping[Any, float] | Literal["balanced"] | None


def numeric_target(role: Any) -> Any:
    """`role`, with values that are numbers as such.

    Raises
    ------
    SchemaError
        Values are no numbers.
    """
    if not isinstance(role, np.ndarray) or role.dtype.kind in "fiub":
        return role
    try:
        return role.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise SchemaError(
            f"y must be numbers for a regressor, not {role.dtype}: {error}. For labels use a "
            "classifier."
        ) from error


def check_numeric_column(dataset: Dataset) -> None:
    """Raise SchemaError where the target is a column that is no number."""
    if isinstance(dataset.target, int):
        column = dataset.source.columns[dataset.target]
        if not column.is_numeric:
            raise SchemaError(
                f"The target {column.name!r} must be a number for a regressor, not "
                f"{column.dtype}. For labels use a classifier."
            )


def n_outputs(dataset: Dataset) -> int:
    """Columns of the target."""
    target = dataset.target
    return target.shape[1] if isinstance(target, np.ndarray) and target.ndim == 2 else 1


def found_classes(dataset: Dataset) -> ClassWeights:
    """The labels among the targets of `dataset`. One pass, over the target alone if it may.

    Raises
    ------
    DataError
        Fewer than two classes have rows that weigh something, or targets are no labels.
    """
    found = present_classes(dataset)
    present = found.labels[found.weights > 0]
    if not len(present):
        raise DataError("Input sample_weight is all zero: no row counts. Give some row a weight.")
    if len(present) < 2:
        raise DataError(
            "This solver needs samples of at least 2 classes in the data, but the data contains "
            f"only one class: {present.tolist()[0]!r}."
        )
    return found


def present_classes(dataset: Dataset) -> ClassWeights:
    """As `found_classes`, but one is enough."""
    # Where rows with missing features are dropped, their labels do not count.
    # To find a single column among sparse rows takes longer than all labels.
    few = dataset.features[: 0 if dataset.source.is_sparse else 1]
    alone = dataset if dataset.missing == "drop" else replace(dataset, features=few, measured=False)
    engine = current_engine()
    try:
        return engine.fold(alone, Classes())
    finally:
        if alone is not dataset:
            engine.release(alone)


def coded(
    dataset: Dataset, found: ClassWeights, codes: Float64Array, class_weight: ClassWeight
) -> Dataset:
    """`dataset` with `codes` for its labels, and rows that weigh `class_weight` as much."""
    weights = None if class_weight is None else _weights(found, class_weight)
    return dataset.with_classes(TargetClasses(found.labels, codes, weights))


def _weights(found: ClassWeights, class_weight: Mapping[Any, float] | str) -> Float64Array:
    """The weight of each class, shape (n_classes,)."""
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ParameterError(
                f"class_weight must be a dict, 'balanced' or None, not {class_weight!r}."
            )
        present = found.weights > 0
        mean = found.weights.sum() / present.sum()
        weights: Float64Array = np.where(present, mean / np.where(present, found.weights, 1.0), 0.0)
        return weights
    labels: list[Any] = found.labels.tolist()
    unknown = [label for label in class_weight if label not in labels]
    left_out = [label for label in labels if label not in class_weight]
    if unknown and left_out:
        raise ParameterError(
            f"The classes, {left_out}, are not in class_weight, which names {unknown} instead."
        )
    return np.array([float(class_weight.get(label, 1.0)) for label in labels])


def weights_of(block: Block) -> Float64Array:
    """The weight of each row, shape (n_rows,)."""
    return np.ones(block.n_rows) if block.sample_weight is None else block.sample_weight


@dataclass(frozen=True, slots=True)
class TargetSums:
    """Of a block: weights and weighted targets, shape (1 + n_outputs, n_rows)."""

    def __call__(self, block: Block) -> Float64Array:
        weight = weights_of(block)
        return np.vstack([weight, weight * targets_of(block).T])
