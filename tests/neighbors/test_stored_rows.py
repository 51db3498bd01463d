"""Rows of a model as arrays of a model file, and back."""

import numpy as np
import pytest
from scipy import sparse
from tests.neighbors.rows import blobs, parquet

from shoal import open_dataset
from shoal.exceptions import ModelFileError
from shoal.neighbors.database import Database
from shoal.neighbors.stored_rows import restored_rows, stored_rows


@pytest.mark.parametrize("made", [np.asarray, sparse.csr_array])
def test_what_is_left_of_all_parts_comes_back(made):
    X, more = blobs(60), blobs(40, seed=1)
    database = Database.of(open_dataset(made(X)), open_dataset(made(more)))
    database = database.without_rows(np.array([0, 7, 99]))
    again = Database.of(restored_rows(stored_rows(database)))
    expected = np.delete(np.vstack([X, more]), [0, 7, 99], axis=0)
    rows = [block.X for block in again.blocks()]
    found = np.vstack([one if isinstance(one, np.ndarray) else one.toarray() for one in rows])
    np.testing.assert_array_equal(found, expected)
    assert again.is_dense == (made is np.asarray)


def test_dropped_rows_keep_their_numbers():
    X = np.insert(blobs(50), [3, 50], np.nan, axis=0)
    database = Database.of(open_dataset(X, missing="drop"))
    again = Database.of(restored_rows(stored_rows(database)))
    (block,) = again.blocks()
    np.testing.assert_array_equal(block.row_numbers, np.flatnonzero(~np.isnan(X[:, 0])))


def test_rows_in_files_are_refused(tmp_path):
    database = Database.of(open_dataset(parquet(blobs(), tmp_path / "x.parquet")))
    with pytest.raises(ModelFileError, match="rows are in files"):
        stored_rows(database)
