"""Rows in every form that statistics meet, and exact sums over them."""

from fractions import Fraction
from functools import reduce

import numpy as np
import pyarrow as pa
from scipy import sparse

from shoal import open_dataset


def blobs(n_rows=150, n_features=3, dtype=np.float64, seed=0, offset=0.0):
    """Overlapping blobs about `offset`; every third value is 0, so that CSR has something to do."""
    generator = np.random.default_rng(seed)
    X = generator.normal(0, 3, (4, n_features))[generator.integers(4, size=n_rows)]
    X = X + generator.normal(0, 1, X.shape) + offset
    return np.where(generator.random(X.shape) < 1 / 3, 0, X).astype(dtype)


def weights(n_rows=150, seed=1):
    """Weights of very different sizes, a tenth of them 0."""
    generator = np.random.default_rng(seed)
    return np.where(generator.random(n_rows) < 0.1, 0, generator.lognormal(0, 2, n_rows))


def forms(X, weight=None):
    """Datasets of the same rows: C, Fortran, CSR, a converted frame, and among dropped rows."""
    holes = np.insert(X, [0, len(X) // 2, len(X)], np.nan, axis=0)
    held = None if weight is None else np.insert(weight, [0, len(X) // 2, len(X)], 1.0)
    frame = pa.table({f"x{j}": X[:, j] for j in range(X.shape[1])})
    return {
        "C": open_dataset(X, sample_weight=weight),
        "Fortran": open_dataset(np.asfortranarray(X), sample_weight=weight),
        "CSR": open_dataset(sparse.csr_array(X), sample_weight=weight),
        "frame": open_dataset(frame, sample_weight=weight),
        "dropped": open_dataset(holes, sample_weight=held, missing="drop"),
    }


FORMS = ("C", "Fortran", "CSR", "frame", "dropped")


def blocks(dataset, max_rows=97):
    for cell in dataset.cells:
        yield from dataset.read(cell, max_rows)


def fold(statistic, dataset, max_rows=97):
    """A serial fold."""
    return fold_blocks(statistic, blocks(dataset, max_rows))


def fold_blocks(statistic, some):
    return statistic.result(reduce(statistic.update, some, statistic.zero()))


def exact(values):
    """Sum of `values` without rounding."""
    return sum(map(Fraction, np.asarray(values, dtype=np.float64).ravel().tolist()), Fraction())
