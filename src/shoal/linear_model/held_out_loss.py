"""The loss of a model on rows that it does not learn from."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import AnyArray, Float64Array
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.engines.current import current_engine
from shoal.losses import Loss
from shoal.solvers.sgd_replica import held_out_rows
from shoal.solvers.solver import Fold
from shoal.statistics.exact_sum import ExactSum
from shoal.statistics.raw_predictions import raw_predictions


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutLoss:
    """The mean loss of held-out rows of the data of a fit, or of all rows of another dataset.

    Parameters
    ----------
    loss : Loss
    labels : (float, float)
        Targets of rows that are not, and are, of the class of an output; of several outputs.
    seed : int
        Key of what is held out.
    share : float
        Of the rows.
    dataset : Dataset, default=None
        The other dataset.
    """

    loss: Loss
    labels: tuple[float, float]
    seed: int
    share: float
    dataset: Dataset | None = None

    def __call__(self, coef: AnyArray, intercept: Float64Array, fold: Fold) -> float:
        """The mean loss of a model. One pass."""
        coef = np.ascontiguousarray(coef, dtype=np.float64)
        share = self.share if self.dataset is None else None
        sums = ExactSum(_Terms(self.loss, self.labels, coef, intercept, self.seed, share), 2)
        loss, weight = (
            fold(sums) if self.dataset is None else current_engine().fold(self.dataset, sums)
        )
        return float(loss / weight) if weight else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """Weighted losses and weights of the rows of a block, shape (2, n_rows held out)."""

    loss: Loss
    labels: tuple[float, float]
    coef: Float64Array
    intercept: Float64Array
    seed: int
    share: float | None

    def __call__(self, block: Block) -> Float64Array:
        assert block.target is not None
        raw = raw_predictions(block, self.coef, self.intercept)
        target = np.asarray(block.target, dtype=np.float64).reshape(-1, 1)
        if len(self.coef) > 1:
            target = np.where(target == np.arange(len(self.coef)), self.labels[1], self.labels[0])
        value = np.zeros(block.n_rows)
        for output in range(raw.shape[1]):
            value += self.loss.value(target[:, output], raw[:, output])
        weight = np.ones(block.n_rows) if block.sample_weight is None else block.sample_weight
        terms = np.stack([weight * value, weight])
        if self.share is None:
            return terms
        return terms[:, held_out_rows(block, self.seed, self.share)]
