"""Rows of a model as arrays of a model file, and back."""

from typing import Any

import numpy as np
from scipy import sparse

from shoal._typing import Matrix
from shoal.data.dataset import Dataset
from shoal.data.open import open_dataset
from shoal.exceptions import ModelFileError
from shoal.neighbors.database import Database


def stored_rows(database: Database) -> dict[str, Any]:
    """The rows of a database as arrays.

    Raises
    ------
    ModelFileError
        They are in files, or sparse and some were dropped.
    """
    if not database.in_process:
        raise ModelFileError(
            "the model's rows are in files or on a cluster, and a model file would hold a copy of "
            "them: use pickle or joblib.dump, which store where they are, or fit on rows in memory"
        )
    rows = _matrix(database)
    if isinstance(rows, np.ndarray):
        return {"dense": rows}
    parts = {name: getattr(rows, name) for name in ("data", "indices", "indptr")}
    return {"sparse": parts | {"shape": rows.shape}}


def restored_rows(stored: dict[str, Any]) -> Dataset:
    """The rows that `stored_rows` has stored."""
    rows = stored.get("dense")
    if rows is None:
        parts = dict(stored["sparse"])
        shape = parts.pop("shape")
        rows = sparse.csr_array((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
    return open_dataset(rows, missing="drop")


def _matrix(database: Database) -> Matrix:
    """All rows, those that were dropped as NaN."""
    parts = [(block.X, block.row_numbers) for block in database.blocks()]
    if database.is_dense:
        rows = np.full((database.n_rows, database.n_features), np.nan, dtype=database.dtype)
        for X, numbers in parts:
            rows[numbers] = X
        return rows
    if sum(len(numbers) for _, numbers in parts) < database.n_rows:
        raise ModelFileError(
            "rows with missing values were dropped, and a sparse matrix of the others would number "
            "them anew: fit without these rows"
        )
    return sparse.csr_array(sparse.vstack([sparse.csr_array(X) for X, _ in parts]))
