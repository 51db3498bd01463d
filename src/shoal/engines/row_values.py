"""What a function gives of each row of a dataset, in memory or in a file."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from shoal._typing import AnyArray
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.files import check_apart
from shoal.data.predictions import write_predictions
from shoal.engines.current import current_engine


def gathered(
    dataset: Dataset,
    function: Callable[[Block], AnyArray],
    dtype: Any,
    missing: Any,
    row_shape: tuple[int, ...] = (),
) -> AnyArray:
    """What `function` gives of each block, as one array of shape (n_rows, *row_shape).

    `missing` where a row was dropped. One pass, memory of the result.
    """
    found = np.full((dataset.n_rows, *row_shape), missing, dtype=dtype)
    for block, values in current_engine().map_blocks(dataset, function):
        found[block.row_numbers] = values
    return found


def written(
    dataset: Dataset,
    function: Callable[[Block], AnyArray],
    out: str | PathLike[str],
    name: str,
    dtype: Any,
) -> Path:
    """The path `out`, where one column of predictions was written. One pass, no memory."""
    check_apart(out, dataset.files)
    values = current_engine().map_blocks(dataset, function)
    return write_predictions(out, name, dtype, values, dataset.n_rows)
