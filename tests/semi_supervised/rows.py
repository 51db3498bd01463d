"""Rows of which few are labelled."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def blobs(n_rows=400, n_features=3, n_classes=3, dtype=np.float64, seed=0, share=0.1, apart=4.0):
    """Rows in blobs, the labels of all, and labels that are -1 but for a share of the rows."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(n_classes, size=n_rows)
    truth[:n_classes] = np.arange(n_classes)
    middles = generator.normal(0, apart, (n_classes, n_features))
    X = middles[truth] + generator.normal(size=(n_rows, n_features))
    some = generator.random(n_rows) < share
    some[:n_classes] = True
    return X.astype(dtype), truth, np.where(some, truth, -1)


def unlabelled(y, share=0.9, seed=0):
    """Labels with -1 for a share of them, but one of each."""
    unknown = np.random.default_rng(seed).random(len(y)) < share
    unknown[np.unique(y, return_index=True)[1]] = False
    return np.where(unknown, -1, y)


def parquet(X, y, path, rows_a_group=100):
    """A file of rows with a column of labels, null where they are -1."""
    columns = {f"x{j}": X[:, j] for j in range(X.shape[1])}
    table = pa.table(columns | {"y": pa.array(y, mask=np.asarray(y) == -1)})
    pq.write_table(table, path, row_group_size=rows_a_group)
    return path
