"""The longest row."""

from dataclasses import dataclass

import numpy as np

from shoal.data.block import Block
from shoal.engines.statistic import Statistic


@dataclass(frozen=True, slots=True)
class LargestRow(Statistic[float, float]):
    """The largest squared euclidean norm of a row, 0 for no rows. One pass, no memory."""

    def zero(self) -> float:
        return 0.0

    def update(self, partial: float, block: Block) -> float:
        X, norms = block.X, np.zeros(block.n_rows)
        if isinstance(X, np.ndarray):
            for column in X.T:
                norms += column.astype(np.float64) ** 2
        else:
            rows = np.repeat(np.arange(block.n_rows), np.diff(X.indptr))
            np.add.at(norms, rows, X.data.astype(np.float64) ** 2)
        return max(partial, float(norms.max()))

    def merge(self, partial: float, other: float) -> float:
        return max(partial, other)

    def result(self, partial: float) -> float:
        return partial
