"""Rows of files, brought into memory."""

import numpy as np
import pyarrow as pa

from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.open import open_dataset
from shoal.data.plan import format_bytes
from shoal.exceptions import MemoryBudgetError

_BLOCK_ROWS = 1 << 16


def loaded(dataset: Dataset, memory_bytes: int) -> Dataset:
    """The features and the target column of `dataset`, in the memory of this process.

    Names and types stay; rows that are dropped are not there, so others close up.

    Parameters
    ----------
    dataset : Dataset
    memory_bytes : int
        What it may take while both the blocks that are read and the columns are there.

    Raises
    ------
    MemoryBudgetError
        That is not enough. Found before a row is read.
    """
    needed = 2 * dataset.n_rows * dataset.row_bytes
    if needed > memory_bytes:
        raise MemoryBudgetError(
            f"Loading {dataset!r} takes {format_bytes(needed)}, but the memory budget is "
            f"{format_bytes(memory_bytes)}. Give more, or take fewer rows or columns."
        )
    blocks = [block for cell in dataset.cells for block in dataset.read(cell, _BLOCK_ROWS)]
    names = list(dataset.feature_names)
    columns = {name: _feature(blocks, position) for position, name in enumerate(names)}
    target = None
    if isinstance(dataset.target, int):
        target = dataset.source.columns[dataset.target].name
        columns[target] = _target(blocks)
    return open_dataset(pa.table(columns), features=names, target=target)


def _feature(blocks: list[Block], position: int) -> pa.Array:
    return pa.array(np.concatenate([block.X[:, position] for block in blocks]))


def _target(blocks: list[Block]) -> pa.Array:
    return pa.array(np.concatenate([block.target for block in blocks if block.target is not None]))
