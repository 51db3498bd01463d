"""What `open_dataset` makes of what it is given, and what it refuses."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv
from scipy import sparse

from shoal import open_dataset
from shoal.exceptions import (
    ColumnError,
    DataError,
    FileError,
    NonFiniteError,
    ParameterError,
    SchemaError,
)


def blocks(dataset, max_rows=1000):
    return [block for cell in dataset.cells for block in dataset.read(cell, max_rows)]


def values(dataset):
    X = np.vstack([block.X for block in blocks(dataset)])
    assert X.dtype == dataset.dtype
    return X


@pytest.fixture
def flights(tmp_path):
    table = pa.table(
        {
            "delay": pa.array([1.5, None, -2.0, 0.25], pa.float32()),
            "distance": pa.array([100, 200, 300, 400], pa.int16()),
            "carrier": ["AA", "UA", None, "AA"],
            "weight": [1.0, 2.0, 0.5, 1.0],
            "late": [1, 0, 0, 1],
        }
    )
    path = tmp_path / "flights.parquet"
    pq.write_table(table, path, row_group_size=3)
    return path


def test_roles_are_columns(flights):
    dataset = open_dataset(
        flights,
        features=["distance", "delay"],
        target="carrier",
        sample_weight="weight",
        missing="drop",
    )
    assert dataset.feature_names == ("distance", "delay")
    assert dataset.dtype == np.float32
    first, second = blocks(dataset)
    assert first.X.tolist() == [[100, 1.5]]
    assert first.target.tolist() == ["AA"]
    assert first.row_numbers.tolist() == [0]
    assert second.sample_weight.tolist() == [1.0]


def test_features_are_all_other_columns(flights):
    dataset = open_dataset(flights, target="carrier", sample_weight="weight")
    assert dataset.feature_names == ("delay", "distance", "late")
    assert dataset.dtype == np.float64  # int64 is not exact in float32


def test_features_by_position():
    dataset = open_dataset(np.arange(12.0).reshape(4, 3), features=[2, 0], target=-2)
    (block,) = blocks(dataset)
    assert block.X.tolist() == [[2, 0], [5, 3], [8, 6], [11, 9]]
    assert block.target.tolist() == [1, 4, 7, 10]


def test_roles_are_values():
    y, weight = np.arange(66), np.arange(1, 67, dtype=np.int8)
    dataset = open_dataset(np.ones((66, 2)), target=y, sample_weight=weight)
    second = blocks(dataset, max_rows=64)[1]
    assert second.target.tolist() == [64, 65]
    assert second.sample_weight.tolist() == [65.0, 66.0]
    assert second.sample_weight.dtype == np.float64


def test_series_are_values():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    dataset = open_dataset(frame[["a"]], target=frame["b"])
    assert blocks(dataset)[0].target.tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["f4"], "f4"),
        (["f2"], "f4"),
        (["f4", "i2", "u1", "?"], "f4"),
        (["f4", "i4"], "f8"),
        (["i1"], "f8"),
        (["?"], "f8"),
        (["f4", "f8"], "f8"),
    ],
)
def test_features_decode_to_the_narrowest_exact_type(types, expected):
    frame = pd.DataFrame({f"c{i}": np.ones(3, dtype=dtype) for i, dtype in enumerate(types)})
    dataset = open_dataset(frame)
    assert dataset.dtype == np.dtype(expected)
    assert (values(dataset) == 1).all()


def test_dataset_is_returned_as_it_is():
    dataset = open_dataset(np.ones((2, 2)))
    assert open_dataset(dataset) is dataset
    with pytest.raises(ValueError, match=r"roles already"):
        open_dataset(dataset, target=0)


def test_frames_and_arrays_and_files_hold_the_same(tmp_path):
    X = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    frame = pd.DataFrame(X, columns=list("abc"))
    pq.write_table(pa.table(frame), tmp_path / "x.parquet")
    csv.write_csv(pa.table(frame), tmp_path / "x.csv")
    np.save(tmp_path / "x.npy", X)
    sources = [X, X.tolist(), frame, pl.DataFrame(frame), pa.table(frame), *tmp_path.iterdir()]
    for source in sources:
        np.testing.assert_array_equal(values(open_dataset(source)).astype(np.float32), X)


def test_pandas_columns_of_one_matrix_are_not_copied():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 4)), columns=list("abcd"))
    frame["y"] = 1
    (block,) = blocks(open_dataset(frame, features=["b", "c", "d"], target="y"))
    assert np.shares_memory(block.X, frame["b"].to_numpy())
    np.testing.assert_array_equal(block.X, frame[["b", "c", "d"]].to_numpy())


def test_folder_of_one_kind(tmp_path, flights):
    assert open_dataset(tmp_path, features=["late"]).n_rows == 4
    np.save(tmp_path / "other.npy", np.ones((2, 2)))
    with pytest.raises(FileError, match=r"of one kind"):
        open_dataset(tmp_path)


def test_csv_schema(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4\n")
    dataset = open_dataset(tmp_path / "a.csv", schema={"a": "float32", "b": np.int8})
    assert dataset.dtype == np.float32
    assert values(dataset).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match=r"schema is for CSV"):
        open_dataset(np.ones((2, 2)), schema={"a": float})


def test_csv_without_a_header(tmp_path):
    (tmp_path / "a.csv").write_text("1;2\n3;4\n")
    dataset = open_dataset(tmp_path / "a.csv", delimiter=";", has_header=False, target="f1")
    assert dataset.feature_names == ("f0",)
    assert values(dataset).tolist() == [[1], [3]]
    with pytest.raises(ValueError, match=r"delimiter, has_header are for CSV"):
        open_dataset(np.ones((2, 2)), delimiter=";", has_header=False)


BAD_SHAPES = {
    "1d": (np.ones(3), "Expected 2D array, got 1D array instead(.|\n)*Reshape your data"),
    "scalar": (np.float64(3), "Expected 2D array, got scalar array instead"),
    "nothing": (None, "Expected 2D array, got NoneType instead: give"),
    "dict": ({"a": [1.0]}, "Expected 2D array, got dict instead: give"),
    "set": ({1.0}, "Expected 2D array, got set instead: give"),
    "reader": (pa.table({"a": [1.0]}).to_reader(), "got RecordBatchReader instead: give"),
    "generator": ((row for row in [[1.0]]), "Expected 2D array, got generator instead: give"),
    "3d": (np.ones((2, 2, 2)), "Found array with dim 3"),
    "no row": (
        np.ones((0, 3)),
        r"Found array with 0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 1 is required.",
    ),
    "no column": (
        np.ones((3, 0)),
        r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required.",
    ),
    "frame without rows": (pd.DataFrame({"a": [], "b": []}, dtype=float), r"0 sample\(s\)"),
    "complex": (np.ones((2, 2), dtype=complex), "Complex data not supported"),
    "text": (np.array([["a", "b"]]), "not compatible with arrays of bytes/strings"),
    "text objects": (np.array([["a", 1.0]], dtype=object), "could not convert string to float"),
    "ragged": ([[1, 2], [3]], "inhomogeneous"),
    "no numbers": (sparse.csr_array((0, 3)), r"0 sample\(s\)"),
}


@pytest.mark.parametrize("name", BAD_SHAPES)
def test_unusable_arrays(name):
    X, message = BAD_SHAPES[name]
    with pytest.raises(DataError, match=message):
        open_dataset(X)


def test_sparse_matrix_with_indices_out_of_range():
    bad = sparse.csr_array(np.eye(3))
    bad.indices[1] = 7
    with pytest.raises(DataError, match=r"malformed"):
        open_dataset(bad)


def test_sparse_matrix_with_repeated_entries():
    repeated = sparse.csr_array(([1.0, 2.0, 5.0], [1, 1, 0], [0, 3]), shape=(1, 2))
    (block,) = blocks(open_dataset(repeated))
    assert block.X.toarray().tolist() == [[5.0, 3.0]]
    assert repeated.nnz == 3


def test_text_feature(flights):
    with pytest.raises(SchemaError, match=r"string to float.*'carrier' is not.*features=\['delay'"):
        open_dataset(flights)


def test_no_column_of_numbers():
    with pytest.raises(SchemaError, match=r"'x0' is not. Encode such columns\.$"):
        open_dataset(np.array([["2020-01-01"]], dtype="M8[s]"))


def test_a_matrix_of_the_old_kind_is_refused():
    with (
        pytest.warns(PendingDeprecationWarning),
        pytest.raises(SchemaError, match=r"np\.matrix is not supported"),
    ):
        open_dataset(np.matrix([[1.0]]))


MISSING_TARGETS = {
    "pandas text": pd.Series(["a", None, "b"], dtype="string"),
    "pandas objects": pd.Series(["a", pd.NA, "b"], dtype=object),
    "objects of two kinds": np.array(["a", pd.NA, 2], dtype=object),
    "times": pd.to_datetime(["2020-01-01", None, "2020-01-02"]),
    "Arrow": pa.array(["a", None, "b"]),
}


@pytest.mark.parametrize("name", MISSING_TARGETS)
def test_missing_targets_given_whole_are_found(name):
    X, y = np.ones((3, 1)), MISSING_TARGETS[name]
    with pytest.raises(NonFiniteError, match=r"column 'target', row 1 "):
        blocks(open_dataset(X, target=y))
    (block,) = blocks(open_dataset(X, target=y, missing="drop"))
    assert block.row_numbers.tolist() == [0, 2]


def test_many_text_features():
    frame = pd.DataFrame({f"c{i}": ["a"] for i in range(9)})
    with pytest.raises(SchemaError, match=r"'c4' and 4 more are not"):
        open_dataset(frame)


def test_unknown_columns(flights):
    with pytest.raises(ColumnError, match=r"features: no column 'dely'. Did you mean 'delay'?"):
        open_dataset(flights, features=["dely"])
    with pytest.raises(ColumnError, match=r"target: no column 'zzz'. There are 'delay'"):
        open_dataset(flights, features=["delay"], target="zzz")
    with pytest.raises(ColumnError, match=r"sample_weight: no column 7, there are 5"):
        open_dataset(flights, sample_weight=7)
    with pytest.raises(KeyError):
        open_dataset(flights, target="zzz")
    for features in ("delay", 1):
        with pytest.raises(
            ParameterError, match=rf"give a list of names, such as \[{features!r}\]"
        ):
            open_dataset(flights, features=features)


@pytest.mark.parametrize("column", [True, np.False_, 0.5, None, ("delay",)])
def test_what_is_no_column(flights, column):
    with pytest.raises(ParameterError, match=r"features: .* is neither a column's name nor its"):
        open_dataset(flights, features=["distance", column])


def test_a_mask_of_columns_is_no_list_of_positions():
    with pytest.raises(ParameterError, match=r"features: True is neither"):
        open_dataset(np.ones((3, 2)), features=[True, False])


@pytest.mark.parametrize("role", ["target", "sample_weight"])
def test_a_boolean_is_no_position(role):
    with pytest.raises(ParameterError, match=f"{role}=True: give the name of a column"):
        open_dataset(np.ones((3, 2)), **{role: True})


def test_a_feature_is_listed_once(flights):
    with pytest.raises(ParameterError, match="features: 'delay' more than once"):
        open_dataset(flights, features=["delay", "distance", 0])


@pytest.mark.parametrize("library", [pd.DataFrame, pa.table])
def test_columns_of_the_same_name(library):
    if library is pd.DataFrame:
        frame = pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])
    else:
        frame = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["a", "a"])
    with pytest.raises(SchemaError, match=r"same name"):
        open_dataset(frame)


@pytest.mark.parametrize("role", ["target", "sample_weight"])
def test_roles_of_another_length(role):
    with pytest.raises(DataError, match=r"inconsistent numbers of samples: \[3, 2\]"):
        open_dataset(np.ones((3, 2)), **{role: np.ones(2)})


def test_unusable_roles():
    X = np.ones((3, 2))
    with pytest.raises(DataError, match=r"Sample weights must be a 1D"):
        open_dataset(X, sample_weight=np.ones((3, 1)))
    with pytest.raises(SchemaError, match=r"must be numbers"):
        open_dataset(X, sample_weight=["a", "b", "c"])
    with pytest.raises(DataError, match=r"Complex data not supported"):
        open_dataset(X, target=np.ones(3, dtype=complex))
    with pytest.raises(DataError, match=r"give y\.toarray\(\)"):
        open_dataset(X, target=sparse.csr_array(np.eye(3)))
    with pytest.raises(DataError, match=r"should be a 1d array"):
        open_dataset(X, target=np.ones((3, 1, 1)))
    with pytest.raises(SchemaError, match=r"must be numbers, not complex128"):
        open_dataset(X, sample_weight=np.ones(3, dtype=complex))
    with pytest.raises(ParameterError, match=r"missing='ignore'"):
        open_dataset(X, missing="ignore")


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1.0, -2.0, 1.0], DataError, "negative values: -2.0 .*row 1"),
        ([1.0, 1.0, np.nan], NonFiniteError, "NaN or infinity: nan .*row 2"),
        ([np.inf, 1.0, 1.0], NonFiniteError, "NaN or infinity: inf .*row 0"),
    ],
)
def test_bad_weights(weights, error, message):
    dataset = open_dataset(np.ones((3, 2)), sample_weight=weights)
    with pytest.raises(error, match=message):
        blocks(dataset)


@pytest.mark.parametrize("max_rows", [1, 2, 100])
def test_missing_value_is_placed(flights, max_rows):
    dataset = open_dataset(flights, features=["distance", "delay"])
    with pytest.raises(
        NonFiniteError, match=r"contains NaN.*flights.parquet, column 'delay', row 1 .*counted from"
    ):
        blocks(dataset, max_rows)


@pytest.mark.parametrize("max_rows", [1, 3, 100])
def test_infinity_is_placed_in_its_file(tmp_path, max_rows):
    for name, last in [("a", 1.0), ("b", np.inf)]:
        table = pa.table({"u": np.ones(10), "v": np.append(np.ones(9), last)})
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=4)
    with pytest.raises(NonFiniteError, match=r"infinity in .*b.parquet, column 'v', row 9 "):
        blocks(open_dataset(tmp_path), max_rows)


def test_infinity_is_placed_in_an_array():
    X = np.ones((70_000, 3))
    X[69_999, 1] = -np.inf
    with pytest.raises(NonFiniteError, match=r"infinity in array, column 'x1', row 69999 "):
        blocks(open_dataset(X), 1000)


def test_missing_target_is_placed(flights):
    with pytest.raises(NonFiniteError, match=r"Input y contains NaN.*column 'carrier', row 2 "):
        blocks(open_dataset(flights, features=["distance"], target="carrier"))


@pytest.mark.parametrize("name", ["none.parquet", "none*.parquet", "folder"])
def test_files_that_are_not_there(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match=r"folder|No file matches|No such file"):
        open_dataset(tmp_path / name)


def test_unknown_suffix(tmp_path):
    (tmp_path / "a.xlsx").write_text("?")
    with pytest.raises(FileError, match=r"none of the known suffixes"):
        open_dataset(tmp_path / "a.xlsx")


def test_fingerprint_follows_roles_and_values(flights):
    X = np.ones((4, 2))
    other = X.copy()
    other[3, 1] = 2
    datasets = [
        open_dataset(X),
        open_dataset(other),
        open_dataset(X, features=[0]),
        open_dataset(X, target=np.arange(4)),
        open_dataset(X.astype(np.float32)),
        open_dataset(flights, features=["late"]),
    ]
    assert len({dataset.fingerprint for dataset in datasets}) == len(datasets)
    assert open_dataset(np.asfortranarray(X)).fingerprint == datasets[0].fingerprint
