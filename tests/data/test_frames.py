"""What columns of data frames decode to."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from shoal.data.frames import FrameSource


def decoded(frame):
    """Values of each column by name."""
    source = FrameSource(frame)
    (cell,) = source.cells()
    (values,) = source.read(cell, range(len(source.columns)), cell.n_rows)
    names = [column.name for column in source.columns]
    types = [column.dtype for column in source.columns]
    return dict(zip(names, zip(types, values, strict=True), strict=True))


NUMBERS = {
    "pandas nullable": pd.DataFrame({"x": pd.array([1, None, 3], dtype="Int64")}),
    "pandas nullable float": pd.DataFrame({"x": pd.array([1, None, 3], dtype="Float32")}),
    "pandas nullable bool": pd.DataFrame({"x": pd.array([True, None, 3 > 2], dtype="boolean")}),
    "pandas Arrow": pd.DataFrame({"x": pd.array([1, None, 3], dtype="int8[pyarrow]")}),
    "pandas objects": pd.DataFrame({"x": pd.Series([1, None, 3], dtype=object)}),
    "pandas sparse": pd.DataFrame({"x": pd.arrays.SparseArray([1, np.nan, 3])}),
    "polars": pl.DataFrame({"x": [1, None, 3]}),
    "polars decimal": pl.DataFrame({"x": pl.Series([1, None, 3], dtype=pl.Decimal(9, 1))}),
    "Arrow": pa.table({"x": pa.array([1, None, 3], pa.uint8())}),
    "Arrow half": pa.table({"x": pa.array([1, None, 3], pa.float16())}),
    "Arrow dictionary": pa.table({"x": pa.array([1, None, 3]).dictionary_encode()}),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_missing_numbers_are_nan(name):
    announced, values = decoded(NUMBERS[name])["x"]
    assert announced.kind in "fiub"
    expected = [1, np.nan, 1 if "bool" in name else 3]
    np.testing.assert_array_equal(values.astype(np.float64), expected)


OBJECTS = {
    "pandas text": pd.DataFrame({"x": ["a", None]}),
    "pandas objects": pd.DataFrame({"x": pd.Series(["a", np.nan], dtype=object)}),
    "pandas objects of NA": pd.DataFrame({"x": np.array(["a", pd.NA], dtype=object)}),
    "pandas categorical": pd.DataFrame({"x": pd.Categorical(["a", None])}),
    "polars text": pl.DataFrame({"x": ["a", None]}),
    "polars categorical": pl.DataFrame({"x": ["a", None]}, schema={"x": pl.Categorical}),
    "Arrow": pa.table({"x": ["a", None]}),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_missing_objects_are_none(name):
    announced, values = decoded(OBJECTS[name])["x"]
    assert announced.kind == "O"
    assert values.tolist() == ["a", None]


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_times_are_objects(library):
    announced, values = decoded(library({"x": [dt.datetime(2013, 1, 1), None]}))["x"]
    assert announced.kind == "O"
    assert values.tolist() == [dt.datetime(2013, 1, 1), None]


def test_numbers_are_not_copied():
    frame = pd.DataFrame(np.ones((9, 2), dtype=np.float32), columns=["a", "b"])
    assert np.shares_memory(decoded(frame)["a"][1], frame["a"].to_numpy())
    table = pa.table({"a": np.arange(9.0)})
    assert np.shares_memory(decoded(table)["a"][1], table["a"].chunk(0).to_numpy())
    frame = pl.DataFrame({"a": np.arange(9.0)})
    assert np.shares_memory(decoded(frame)["a"][1], frame["a"].to_numpy())


def test_frames_of_one_matrix_are_in_memory():
    assert FrameSource(pd.DataFrame(np.ones((9, 2)), columns=["a", "b"])).in_memory
    assert not FrameSource(pl.DataFrame({"a": [1.0], "b": [2.0]})).in_memory


def test_fingerprint_is_of_names_types_and_values():
    frames = [
        pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]}),
        pd.DataFrame({"a": [1.0, 3.0], "b": ["x", None]}),
        pd.DataFrame({"a": [1.0, 2.0], "b": ["y", None]}),
        pd.DataFrame({"a": [1.0, 2.0], "c": ["x", None]}),
        pd.DataFrame({"a": np.float32([1.0, 2.0]), "b": ["x", None]}),
    ]
    assert len({FrameSource(frame).fingerprint() for frame in frames}) == len(frames)
    assert FrameSource(frames[0].copy()).fingerprint() == FrameSource(frames[0]).fingerprint()
