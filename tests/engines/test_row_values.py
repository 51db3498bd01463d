"""What a function gives of each row, in memory and in a file."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from shoal import LocalEngine, open_dataset
from shoal.engines.row_values import gathered, written
from shoal.exceptions import FileError


def rows(dropped=()):
    X = np.arange(600.0).reshape(200, 3)
    X[list(dropped), 1] = np.nan
    return X, open_dataset(X, missing="drop")


def doubled(block):
    return 2 * block.X


def first(block):
    return block.X[:, 0]


@pytest.mark.parametrize("memory", ["20kB", None])
def test_rows_are_in_order_and_dropped_ones_marked(memory):
    X, dataset = rows(dropped=[3, 70, 199])
    with LocalEngine(2, memory):
        found = gathered(dataset, doubled, np.float64, -1.0, (3,))
    expected = 2 * X
    expected[[3, 70, 199]] = -1
    np.testing.assert_array_equal(found, expected)


def test_shape_and_type_are_there_where_no_row_is():
    _, dataset = rows(dropped=range(200))
    found = gathered(dataset, doubled, np.float32, np.nan, (3,))
    assert (found.shape, found.dtype) == ((200, 3), np.float32)
    assert np.isnan(found).all()


def test_a_file_has_null_where_a_row_was_dropped(tmp_path):
    X, dataset = rows(dropped=[5])
    path = written(dataset, first, tmp_path / "out.parquet", "value", np.float64)
    column = pq.read_table(path)["value"].to_pylist()
    assert column == [None if i == 5 else value for i, value in enumerate(X[:, 0])]


def test_rows_that_are_read_are_not_replaced(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, rows()[0])
    before = path.read_bytes()
    with pytest.raises(FileError, match="is a file that is read: write to another"):
        written(open_dataset(path), first, path, "value", np.float64)
    assert path.read_bytes() == before
