"""The targets of a model's rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.open import given_target
from shoal.data.rows import is_missing
from shoal.data.validation import predict_dataset
from shoal.engines.row_values import gathered
from shoal.exceptions import DataError, NonFiniteError
from shoal.statistics.classes import check_discrete


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Targets of rows, in the order of their numbers.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_outputs)
    is_1d : bool
        Whether they were given as one target a row.
    """

    values: AnyArray
    is_1d: bool

    @classmethod
    def of(cls, dataset: Dataset) -> "Targets":
        """The targets of a dataset; a pass, where they are one of its columns."""
        if dataset.target is None:
            raise DataError(
                "This model requires y to be passed, but the target y is None. Give the targets, "
                "or the name of their column."
            )
        values = dataset.target
        if isinstance(values, int):
            dtype = dataset.source.columns[values].dtype
            values = gathered(dataset, _target_of, dtype, np.zeros((), dtype)[()])
        return cls(values.reshape(len(values), -1), values.ndim == 1)

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> "Targets":
        """The targets that were `stored`."""
        return cls(np.stack(stored["values"], axis=1), stored["is_1d"])

    def stored(self) -> dict[str, Any]:
        """The targets for a model file, which holds text by columns."""
        columns = [np.ascontiguousarray(column) for column in self.values.T]
        return {"values": columns, "is_1d": self.is_1d}

    def add(self, other: "Targets") -> "Targets":
        """These, followed by others."""
        if self.values.shape[1] != other.values.shape[1]:
            raise DataError(
                f"y has {other.values.shape[1]} outputs, but the model has "
                f"{self.values.shape[1]}. Give as many."
            )
        kinds = self.values.dtype.kind, other.values.dtype.kind
        # NumPy would make text of the numbers, and other classes of them than before.
        if (kinds[0] in "US") != (kinds[1] in "US") and "O" not in kinds:
            raise DataError(
                f"y is of {other.values.dtype}, but the model's targets are of "
                f"{self.values.dtype}. Give all as text or all as numbers."
            )
        return Targets(np.concatenate([self.values, other.values]), self.is_1d)

    def remove(self, rows: Int64Array) -> "Targets":
        return Targets(np.delete(self.values, rows, axis=0), self.is_1d)

    def shaped(self, predictions: AnyArray) -> AnyArray:
        """Predictions of shape (n, n_outputs), with the dimensions that the targets had."""
        return predictions[:, 0] if self.is_1d else predictions

    def numbers(self) -> Float64Array:
        """The targets of a regression, shape (n_rows, n_outputs)."""
        try:
            values: Float64Array = np.asarray(self.values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"y of a regression must be numbers: {error}.") from error
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values).all(axis=1)))
            raise NonFiniteError(f"Input y contains NaN or infinity in row {row}. Remove the row.")
        return values

    def classes(self) -> tuple[list[AnyArray], Int64Array]:
        """The classes of each output, ascending, and which of them each row has."""
        check_discrete(self.values)
        classes, codes = [], np.empty(self.values.shape, dtype=np.int64)
        for output, values in enumerate(self.values.T):
            found, codes[:, output] = np.unique(values, return_inverse=True)
            classes.append(found)
        return classes, codes


def scored_rows(model: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """Rows and the targets to compare predictions with; these may be a column of the rows."""
    dataset = predict_dataset(model, X, target=y)
    if isinstance(X, Dataset) and y is not None:
        dataset = dataset.with_target(given_target(y))
    targets = Targets.of(dataset)
    missing = is_missing(targets.values)
    if missing.any():
        raise NonFiniteError(
            f"Input y contains NaN: row {int(missing.argmax())} has no target, so it "
            "has no score. Leave it out."
        )
    return dataset, targets.shaped(targets.values)


def _target_of(block: Block) -> Any:
    return block.target
