"""Parquet files: schemas, hive folders, damage, memory."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoal import open_dataset
from shoal.data.parquet import ParquetSource
from shoal.exceptions import CorruptFileError, FileChangedError, SchemaError


def write(path, n_rows=1000, **columns):
    rng = np.random.default_rng(0)
    columns = columns or {"a": rng.normal(size=n_rows), "b": rng.normal(size=n_rows)}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=250, write_page_checksum=True)
    return path


def read_all(source):
    columns = range(len(source.columns))
    return [list(source.read(cell, columns, 100)) for cell in source.cells()]


def test_row_groups_are_cells(tmp_path):
    write(tmp_path / "a-2.parquet")
    write(tmp_path / "a-10.parquet", a=np.ones(10), b=np.ones(10))
    cells = ParquetSource(tmp_path).cells()
    assert [cell.n_rows for cell in cells] == [250, 250, 250, 250, 10]
    assert cells[-1].first_row == 1000
    assert cells[-1].first_row_in_file == 0
    assert cells[-1].file == str(tmp_path / "a-10.parquet")


def test_columns_in_another_order_are_read_by_name(tmp_path):
    write(tmp_path / "a.parquet", u=[1.0], v=[2.0])
    write(tmp_path / "b.parquet", v=[4.0], u=[3.0])
    dataset = open_dataset(tmp_path)
    assert [next(dataset.read(cell, 9)).X.tolist() for cell in dataset.cells] == [
        [[1, 2]],
        [[3, 4]],
    ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"u": [1.0]}, "Column 'v' is absent in .*b.parquet, but float64 in .*a.parquet"),
        ({"u": [1.0], "v": [1.0], "w": [1.0]}, "Column 'w' is float64 in .*b.parquet, but absent"),
        ({"u": [1.0], "v": [1]}, "Column 'v' is int64 in .*b.parquet, but float64"),
    ],
)
def test_files_of_other_columns(tmp_path, columns, message):
    write(tmp_path / "a.parquet", u=[1.0], v=[2.0])
    write(tmp_path / "b.parquet", **columns)
    with pytest.raises(SchemaError, match=message):
        ParquetSource(tmp_path)


def test_hive_folders_are_columns(tmp_path):
    for year, place in [(2013, "JFK"), (2014, "a%2Fb"), (2015, "__HIVE_DEFAULT_PARTITION__")]:
        write(tmp_path / f"year={year}" / f"origin={place}" / "x.parquet", a=[1.0, 2.0])
    dataset = open_dataset(tmp_path, target="origin")
    assert dataset.feature_names == ("a", "year")
    blocks = [next(dataset.read(cell, 9)) for cell in dataset.cells[:2]]
    assert blocks[0].X.tolist() == [[1, 2013], [2, 2013]]
    assert blocks[1].target.tolist() == ["a/b", "a/b"]
    source = dataset.source
    assert next(source.read(source.cells()[2], [2], 9))[0].tolist() == [None, None]
    # Below the fixed part of a glob too, but not above what was asked for.
    assert "year" in [c.name for c in ParquetSource(f"{tmp_path}/year=*/*/*.parquet").columns]
    assert [c.name for c in ParquetSource(tmp_path / "year=2013").columns] == ["a", "origin"]


def test_only_plain_digits_are_integers(tmp_path):
    for text in ("1_0", "7"):
        write(tmp_path / f"k={text}" / "x.parquet", a=[1.0])
    assert ParquetSource(tmp_path).columns[1].dtype == object


def test_only_hive_columns(tmp_path):
    write(tmp_path / "year=7" / "x.parquet", a=np.ones(1000))
    source = ParquetSource(tmp_path)
    pieces = list(source.read(source.cells()[3], [1], 100))
    assert np.concatenate([year for (year,) in pieces]).tolist() == [7] * 250


def test_unequal_hive_folders(tmp_path):
    write(tmp_path / "year=1" / "x.parquet")
    write(tmp_path / "month=1" / "x.parquet")
    with pytest.raises(SchemaError, match=r"key=value folders"):
        ParquetSource(tmp_path)


@pytest.mark.parametrize("kept", [0, 3, 100, 0.5, 0.99])
def test_truncated_file(tmp_path, kept):
    path = write(tmp_path / "a.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    with pytest.raises(CorruptFileError, match=r"a.parquet, its footer: .*truncated or damaged"):
        open_dataset(path)


def test_flipped_bits(tmp_path):
    path = write(tmp_path / "a.parquet")
    damaged = bytearray(path.read_bytes())
    middle = pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset + 1000
    damaged[middle : middle + 4] = bytes(255 - byte for byte in damaged[middle : middle + 4])
    path.write_bytes(damaged)
    source = ParquetSource(path)
    cells = source.cells()
    assert len(list(source.read(cells[1], [0, 1], 100))) == 3
    with pytest.raises(CorruptFileError, match=r"a.parquet, row group 2: "):
        list(source.read(cells[2], [0, 1], 100))


def test_file_deleted_or_rewritten_since_it_was_opened(tmp_path):
    path = write(tmp_path / "a.parquet")
    source = ParquetSource(path)
    read_all(source)
    write(path, a=np.ones(1000), b=np.ones(1000))
    with pytest.raises(FileChangedError, match=r"a.parquet has changed"):
        read_all(source)
    path.unlink()
    with pytest.raises(FileChangedError, match=r"a.parquet is gone"):
        read_all(source)


def test_fingerprint_follows_the_files(tmp_path):
    path = write(tmp_path / "a.parquet")
    first = ParquetSource(path).fingerprint()
    assert ParquetSource(path).fingerprint() == first
    write(path, a=np.ones(1000), b=np.ones(1000))
    assert ParquetSource(path).fingerprint() != first


MEASURE = """
import resource, sys
from shoal.data.parquet import ParquetSource
source = ParquetSource(sys.argv[1])
columns = range(len(source.columns))
(cell,) = source.cells()
next(iter(source.read(cell, columns, 10)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
n_rows = sum(len(rows[0]) for rows in source.read(cell, columns, 8192))
assert n_rows == cell.n_rows
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_a_large_row_group_streams(tmp_path):
    n_rows, n_columns = 1_000_000, 16
    rng = np.random.default_rng(0)
    table = pa.table({f"c{i}": rng.random(n_rows, dtype=np.float32) for i in range(n_columns)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=n_rows)
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "a.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < table.nbytes / 2
