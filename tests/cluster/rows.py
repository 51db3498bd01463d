"""Rows to cluster."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import make_blobs


def separated(dtype=np.float64, offset=0.0, n_rows=600, seed=0):
    """Blobs that do not overlap, about `offset`."""
    middles = np.random.default_rng(seed).normal(0, 30, (5, 4))
    X, _ = make_blobs(n_rows, 4, centers=middles, random_state=seed)
    return (X + offset).astype(dtype)


def table(X):
    return pa.table({f"x{j}": X[:, j] for j in range(X.shape[1])})


def parquet(X, folder):
    pq.write_table(table(X), folder / "x.parquet", row_group_size=100)
    return folder / "x.parquet"
