"""Predictions batch by batch."""

from collections.abc import Iterable
from os import PathLike

import numpy as np

from shoal._typing import AnyArray
from shoal.data.block import Block
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


def check_one_target(path: str | PathLike[str], n_outputs: int) -> None:
    """Raise ParameterError where predictions of several targets are to go to a file."""
    if n_outputs > 1:
        raise ParameterError(
            f"out={str(path)!r}: a file holds one target, but the model has {n_outputs}. Predict "
            "in memory."
        )
