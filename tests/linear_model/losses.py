"""Mean losses of the same rows, by a pass and by moments."""

import numpy as np
from tests.linear_model.models import amounts, rows, weights
from tests.statistics.rows import fold as fold_dataset

from shoal import open_dataset
from shoal.linear_model.summary import ranges, second_moments, summarize


def dataset(n_outputs=1, *, weighted=True):
    X = rows(300)
    y = np.column_stack([amounts(X, seed) for seed in range(n_outputs)])
    return open_dataset(X, target=y, sample_weight=weights(300) if weighted else None)


def fold_over(some):
    return lambda statistic: fold_dataset(statistic, some)


def summary(some, n_outputs=1):
    return summarize(some, n_outputs, fold_over(some))


def moments(some, n_outputs=1):
    return second_moments(some, *ranges(some, n_outputs, fold_over(some)), fold_over(some))


def rows_of(some):
    """X, y of shape (n_rows, n_outputs), and weights."""
    blocks = [block for cell in some.cells for block in some.read(cell, cell.n_rows)]
    (block,) = blocks
    weight = np.ones(block.n_rows) if block.sample_weight is None else block.sample_weight
    return block.X, block.target.reshape(block.n_rows, -1), weight
