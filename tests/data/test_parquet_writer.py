"""Parquet files piece by piece; whole or not at all is tested with predictions, too."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.full_disk import no_room

from shoal.data.parquet_writer import write_parquet
from shoal.exceptions import DiskFullError, FileError, ParameterError

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.float64())])


def pieces(*lengths):
    for length in lengths:
        yield pa.table({"a": range(length), "b": [0.5] * length}, SCHEMA)


def test_each_piece_is_a_row_group(tmp_path):
    path = write_parquet(str(tmp_path / "x.parquet"), SCHEMA, pieces(3, 1, 2))
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(group).num_rows for group in range(3)] == [3, 1, 2]
    assert file.schema_arrow == SCHEMA
    assert file.read()["a"].to_pylist() == [0, 1, 2, 0, 0, 1]


def test_no_pieces_are_no_rows(tmp_path):
    assert pq.read_table(write_parquet(tmp_path / "x.parquet", SCHEMA, [])).num_rows == 0


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyboardInterrupt()], ids=repr)
def test_an_error_midway_leaves_what_was_there(tmp_path, error):
    def failing():
        yield from pieces(2)
        raise error

    path = tmp_path / "x.parquet"
    path.write_bytes(b"before")
    with pytest.raises(type(error)):
        write_parquet(path, SCHEMA, failing())
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(FileError, match=r"cannot write .*x\.parquet"):
        write_parquet(tmp_path / "missing" / "x.parquet", SCHEMA, pieces(1))
    with pytest.raises(DiskFullError, match=r"x\.parquet.*free some room"), no_room():
        write_parquet(tmp_path / "x.parquet", SCHEMA, pieces(10_000))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.csv", "x.CSV.GZ", "x.npy"])
def test_another_format_is_not_written(tmp_path, name):
    with pytest.raises(ParameterError, match="what is written is Parquet"):
        write_parquet(tmp_path / name, SCHEMA, pieces(3))
    assert not any(tmp_path.iterdir())
