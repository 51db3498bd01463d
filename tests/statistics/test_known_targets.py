"""Targets of which only some are known: from arrays, columns of files, of every type."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from shoal import open_dataset
from shoal.exceptions import DataError, NonFiniteError, SchemaError
from shoal.statistics.known_targets import KnownLabels, known_numbers


def known(values):
    return KnownLabels.of(open_dataset(np.ones((len(values), 1)), target=values))


def stored(values, path, dtype=None):
    """A Parquet file of several row groups with a column of targets."""
    table = pa.table({"x": np.ones(len(values)), "y": pa.array(values, dtype)})
    pq.write_table(table, path / "rows.parquet", row_group_size=2)
    return open_dataset(path / "rows.parquet", target="y")


@pytest.mark.parametrize(
    ("values", "classes", "codes"),
    [
        ([3, -1, 7, 3], [3, 7], [0, -1, 1, 0]),
        ([3.0, np.nan, 7.0, -1.0], [3.0, 7.0], [0, -1, 1, -1]),
        (["b", None, "a", "b"], ["a", "b"], [1, -1, 0, 1]),
        (["b", -1, "a", np.nan], ["a", "b"], [1, -1, 0, -1]),
        ([1, None, 0, 1], [0, 1], [1, -1, 0, 1]),
        ([True, False, False], [False, True], [1, 0, 0]),
    ],
)
def test_labels_of_arrays(values, classes, codes):
    is_mixed = any(isinstance(value, str) or value is None for value in values)
    found = known(np.array(values, dtype=object if is_mixed else None))
    assert found.classes.tolist() == classes
    assert type(found.classes.tolist()[0]) is type(classes[0])
    assert found.codes.tolist() == codes
    assert found.n_known == sum(code >= 0 for code in codes)


@pytest.mark.parametrize(
    ("values", "dtype", "classes", "codes"),
    [
        ([5, None, 2, 5, None, 2, 9], pa.int32(), [2, 5, 9], [1, -1, 0, 1, -1, 0, 2]),
        ([True, None, False], pa.bool_(), [False, True], [1, -1, 0]),
        (["b", None, None, None, "a"], pa.string(), ["a", "b"], [1, -1, -1, -1, 0]),
        ([1.0, None, 0.0], pa.float32(), [0.0, 1.0], [1, -1, 0]),
        ([1, -1, 0], pa.int64(), [0, 1], [1, -1, 0]),
    ],
)
def test_labels_of_columns(tmp_path, values, dtype, classes, codes):
    found = KnownLabels.of(stored(values, tmp_path, dtype))
    assert found.classes.tolist() == classes
    assert type(found.classes.tolist()[0]) is type(classes[0])
    assert found.codes.tolist() == codes


def test_labels_of_frames_and_matrices():
    frame = pd.DataFrame({"x": [1.0, 2, 3], "y": ["a", None, "b"]})
    assert KnownLabels.of(open_dataset(frame, target="y")).codes.tolist() == [0, -1, 1]
    matrix = sparse.csr_array(np.array([[1.0, 0], [2, -1], [3, 4]]))
    assert KnownLabels.of(open_dataset(matrix, target=1)).codes.tolist() == [0, -1, 1]


@pytest.mark.parametrize("dtype", ["string", "category", object])
def test_missing_values_of_pandas(dtype):
    y = pd.Series(["b", None, "a"], dtype=dtype)
    assert known(np.asarray(y)).codes.tolist() == [1, -1, 0]
    truth = pd.Series([True, None, False], dtype="boolean")
    assert known(np.asarray(truth)).codes.tolist() == [1, -1, 0]


@pytest.mark.parametrize("values", [[-1, -1], [np.nan, np.nan]])
def test_no_label_is_known(values):
    with pytest.raises(DataError, match="All 2 labels are unknown"):
        known(np.array(values))
    with pytest.raises(DataError, match="All 2 labels are unknown"):
        known(np.array([None, None]))


def test_no_labels():
    with pytest.raises(DataError, match="Unknown label type: continuous"):
        known(np.array([0.5, np.nan]))
    with pytest.raises(NonFiniteError, match="infinity"):
        known(np.array([1.0, np.inf]))
    with pytest.raises(DataError, match="of one type"):
        known(np.array(["a", 1, None], dtype=object))
    with pytest.raises(DataError, match="1d array"):
        known(np.ones((3, 2)))
    with pytest.raises(DataError, match="text '-1'"):
        known(np.array(["a", "-1"]))


def test_numbers(tmp_path):
    dataset = open_dataset(np.ones((3, 1)), target=np.array([1.5, None, 2], dtype=object))
    np.testing.assert_array_equal(known_numbers(dataset), [1.5, np.nan, 2])
    np.testing.assert_array_equal(known_numbers(stored([1, None, 3], tmp_path)), [1, np.nan, 3])


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([np.nan, np.nan], DataError, "All 2 targets are unknown"),
        ([np.inf, np.nan], NonFiniteError, "infinity"),
        (["a", None], SchemaError, "must be numbers"),
    ],
)
def test_no_numbers(values, error, message):
    with pytest.raises(error, match=message):
        known_numbers(open_dataset(np.ones((2, 1)), target=np.array(values, dtype=object)))
