"""Predictions batch by batch, into memory or a file."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from shoal._typing import AnyArray
from shoal.data.block import Block
from shoal.data.predictions import write_predictions
from shoal.exceptions import DataError, ParameterError


def collected(n_rows: int, predictions: Iterable[tuple[Block, AnyArray]]) -> AnyArray:
    """Predictions of `n_rows` rows in memory; all rows must have one."""
    parts = [values for _, values in predictions]
    found = np.concatenate(parts)
    if len(found) < n_rows:
        raise DataError(
            f"{n_rows - len(found)} rows with missing values were dropped, and have no "
            "prediction. Write predictions to a file (out=...), where such rows are null."
        )
    return found


def written(
    path: str | PathLike[str],
    name: str,
    dtype: Any,
    predictions: Iterable[tuple[Block, AnyArray]],
    n_rows: int,
    n_outputs: int,
) -> Path:
    """Predictions as a Parquet file of one column, null where rows were dropped."""
    if n_outputs > 1:
        raise ParameterError(
            f"out={str(path)!r}: a file holds one target, but the model has {n_outputs}. Predict "
            "in memory."
        )
    dtype = np.dtype(dtype if np.dtype(dtype) != object else str)
    typed = ((block, values.astype(dtype, copy=False)) for block, values in predictions)
    return write_predictions(path, name, dtype, typed, n_rows)
