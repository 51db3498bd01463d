"""Predictions batch by batch."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.neighbors.rows import blobs

from shoal import open_dataset
from shoal.data.predictions import write_predictions
from shoal.exceptions import DataError, ParameterError
from shoal.neighbors.database import query_batches
from shoal.neighbors.prediction import check_one_target, collected


def predictions(X, dtype=np.int64):
    dataset = open_dataset(X, missing="drop")
    return ((block, block.row_numbers.astype(dtype)) for block in query_batches(dataset, 1 << 19))


def test_in_memory_and_in_a_file(tmp_path):
    X = blobs()
    np.testing.assert_array_equal(collected(300, predictions(X)), np.arange(300))
    path = write_predictions(tmp_path / "p.parquet", "label", object, predictions(X, object), 300)
    assert pq.read_table(path)["label"].to_pylist() == [str(row) for row in range(300)]


def test_dropped_rows_are_null_in_a_file_and_an_error_in_memory(tmp_path):
    X = blobs()
    X[[0, 150]] = np.nan
    path = write_predictions(tmp_path / "p.parquet", "label", np.int64, predictions(X), 300)
    assert pq.read_table(path)["label"].to_pylist()[149:152] == [149, None, 151]
    with pytest.raises(DataError, match="2 rows with missing values were dropped"):
        collected(300, predictions(X))


def test_a_file_holds_one_target():
    check_one_target("p.parquet", 1)
    with pytest.raises(ParameterError, match=r"'p\.parquet'.* the model has 2"):
        check_one_target("p.parquet", 2)
