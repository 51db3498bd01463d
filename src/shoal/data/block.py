"""Some consecutive rows in memory."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int64Array, Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some consecutive rows of a dataset, decoded, checked and ready for kernels.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features) or scipy.sparse.csr_array
        float32 or float64, dense in any strides. Finite, if the dataset is measured.
    first_row : int
        Number in the dataset of the first row.
    minimum, maximum : ndarray of shape (n_features,), float64
        Range of each column over these rows; empty blocks do not exist. NaN where the dataset is
        not measured.
    target : ndarray of shape (n_rows,) or (n_rows, n_outputs), default=None
    sample_weight : ndarray of shape (n_rows,), float64, default=None
        Finite and not negative.
    rows : ndarray of shape (n_rows,), int64, default=None
        Row numbers, ascending, where rows with missing values were dropped in between.
    beside : dict
        A place for what a statistic wants to find again when it meets this block in the next
        pass (labels, bounds). A cache, never truth: it may be empty at any time.
    """

    X: Matrix
    first_row: int
    minimum: Float64Array
    maximum: Float64Array
    target: AnyArray | None = None
    sample_weight: Float64Array | None = None
    rows: Int64Array | None = None
    beside: dict[str, Any] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        return int(self.X.shape[0])

    @property
    def row_numbers(self) -> Int64Array:
        """Number in the dataset of each row."""
        if self.rows is not None:
            return self.rows
        return np.arange(self.first_row, self.first_row + self.n_rows, dtype=np.int64)

    @property
    def n_bytes(self) -> int:
        """Memory of the values, without what stands beside them."""
        parts = [self.target, self.sample_weight, self.rows]
        if isinstance(self.X, np.ndarray):
            parts.append(self.X)
        else:
            parts += [self.X.data, self.X.indices, self.X.indptr]
        return sum(part.nbytes for part in parts if part is not None)
