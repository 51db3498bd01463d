"""Rows of files in memory."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoal import open_dataset
from shoal.data import loaded as module
from shoal.data.loaded import loaded
from shoal.exceptions import MemoryBudgetError


@pytest.fixture
def path(tmp_path):
    table = pa.table(
        {
            "b": pa.array([1.5, None, 3.0, 4.0, 5.0], pa.float32()),
            "y": ["no", "yes", "no", "yes", "no"],
            "a": pa.array([1, 2, 3, 4, 5], pa.int8()),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=2)
    return tmp_path / "x.parquet"


def read(dataset):
    (cell,) = dataset.cells
    (block,) = dataset.read(cell, 100)
    return block


@pytest.mark.parametrize("block_rows", [1, 2, 100])
def test_names_types_and_kept_rows_stay(path, monkeypatch, block_rows):
    monkeypatch.setattr(module, "_BLOCK_ROWS", block_rows)
    dataset = open_dataset(path, features=["a", "b"], target="y", missing="drop")
    found = loaded(dataset, 10**6)
    assert found.source.in_process
    assert (found.feature_names, found.dtype) == (("a", "b"), np.float32)
    block = read(found)
    np.testing.assert_array_equal(block.X, [[1, 1.5], [3, 3], [4, 4], [5, 5]])
    assert block.target.tolist() == ["no", "no", "yes", "no"]


def test_without_a_target(path):
    found = loaded(open_dataset(path, features=["a"]), 10**6)
    assert found.target is None
    np.testing.assert_array_equal(read(found).X.ravel(), [1, 2, 3, 4, 5])


def test_what_does_not_fit_is_refused_before_a_row_is_read(path):
    dataset = open_dataset(path, features=["a"])
    n_bytes = 2 * 5 * dataset.row_bytes
    assert loaded(dataset, n_bytes).n_rows == 5
    path.unlink()
    with pytest.raises(MemoryBudgetError, match=rf"takes {n_bytes} B, .*is {n_bytes - 1} B"):
        loaded(dataset, n_bytes - 1)
