"""Predictions as Parquet files: whole, in order, with nulls for dropped rows."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.full_disk import no_room

from shoal.data.block import Block
from shoal.data.predictions import write_predictions
from shoal.exceptions import ClusterUnreachableError, DiskFullError, FileError, NonFiniteError


def predictions(present, block_rows):
    """Blocks of the rows that are there, and twice the row number for each, as a map gives them."""
    for start in range(0, len(present), block_rows):
        rows = start + np.flatnonzero(present[start : start + block_rows])
        if len(rows):
            whole = len(rows) == len(present[start : start + block_rows])
            X = np.empty((len(rows), 0))
            block = Block(X, start, np.empty(0), np.empty(0), rows=None if whole else rows)
            yield block, (2 * rows).astype(np.int32)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 50))
def test_is_one_row_a_row(tmp_path_factory, present, block_rows):
    path = tmp_path_factory.mktemp("predictions") / "labels.parquet"
    blocks = predictions(present, block_rows)
    assert write_predictions(str(path), "label", np.int32, blocks, len(present)) == path
    found = pq.read_table(path)
    assert found.schema == pa.schema([("label", pa.int32())])
    expected = [2 * row if there else None for row, there in enumerate(present)]
    assert found["label"].to_pylist() == expected


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64, np.int64])
def test_keeps_the_type(tmp_path, dtype):
    block = Block(np.empty((2, 0)), 0, np.empty(0), np.empty(0))
    values = np.array([1, 2], dtype=dtype)
    write_predictions(tmp_path / "y.parquet", "y", dtype, [(block, values)], 2)
    assert pq.read_table(tmp_path / "y.parquet")["y"].to_numpy().dtype == dtype


@pytest.mark.parametrize("dtype", ["<U3", object])
def test_text_is_text(tmp_path, dtype):
    block = Block(np.empty((2, 0)), 1, np.empty(0), np.empty(0), rows=np.array([1, 3]))
    values = np.array(["no", "yes"], dtype=dtype)
    write_predictions(tmp_path / "y.parquet", "y", values.dtype, [(block, values)], 5)
    assert pq.read_table(tmp_path / "y.parquet")["y"].to_pylist() == [None, "no", None, "yes", None]


def failing(error):
    yield from predictions([True] * 5, 5)
    raise error


@pytest.mark.parametrize(
    "error",
    [NonFiniteError("x"), ClusterUnreachableError("x"), KeyboardInterrupt(), RuntimeError("x")],
    ids=repr,
)
def test_an_error_midway_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "labels.parquet"
    path.write_bytes(b"before")
    with pytest.raises(type(error)):
        write_predictions(path, "label", np.int32, failing(error), 10)
    assert path.read_bytes() == b"before"
    path.unlink()
    with pytest.raises(type(error)):
        write_predictions(path, "label", np.int32, failing(error), 10)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path):
    with pytest.raises(DiskFullError, match=r"labels\.parquet.*free some room"), no_room():
        write_predictions(
            tmp_path / "labels.parquet", "label", np.int32, predictions([True] * 5000, 99), 5000
        )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_or_in_the_way_is_named(tmp_path):
    for path in (tmp_path / "missing" / "labels.parquet", tmp_path):
        with pytest.raises(FileError, match="cannot write"):
            write_predictions(path, "label", np.int32, predictions([True], 1), 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_file_has_the_mode_of_any_file_of_the_user(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        path = write_predictions(
            tmp_path / "labels.parquet", "label", np.int32, predictions([True], 1), 1
        )
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode
