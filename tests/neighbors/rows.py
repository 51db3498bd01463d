"""Rows to look among, and neighbours by the definition."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def blobs(n_rows=300, n_features=4, dtype=np.float64, seed=0, offset=0.0):
    generator = np.random.default_rng(seed)
    middles = generator.normal(0, 3, (5, n_features))
    X = middles[generator.integers(5, size=n_rows)] + generator.normal(size=(n_rows, n_features))
    return (X + offset).astype(dtype)


def ties(n_rows=300, n_features=2, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).integers(-2, 3, (n_rows, n_features)).astype(dtype)


def pairwise(queries, X):
    """Squared distances in float64, added in the kernels' order: eight partial sums."""
    queries, X = queries.astype(np.float64)[:, None], X.astype(np.float64)
    sums = np.zeros((8, len(queries), len(X)))
    for feature in range(X.shape[1]):
        sums[feature % 8] += (X[:, feature] - queries[..., feature]) ** 2
    sums = sums[:4] + sums[4:]
    return (sums[0] + sums[2]) + (sums[1] + sums[3])


def nearest(queries, X, k):
    """Distances and numbers of the k nearest rows, ties to the lower row."""
    truth = pairwise(queries, X)
    rows = np.argsort(truth, axis=1, kind="stable")[:, :k]
    return np.sqrt(np.take_along_axis(truth, rows, axis=1)), rows


def parquet(X, path, y=None):
    columns = {f"x{j}": X[:, j] for j in range(X.shape[1])}
    table = pa.table(columns if y is None else columns | {"y": y})
    pq.write_table(table, path, row_group_size=100)
    return path
