"""Every source passes `check_source`; `check_source` fails on sources that break a promise."""

import dask.array as da
import dask.dataframe as dd
import fsspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv, feather
from scipy import sparse

from shoal.data.arrays import ArraySource
from shoal.data.csv import CSVSource
from shoal.data.dask_collections import DaskSource
from shoal.data.frames import FrameSource
from shoal.data.ipc import IPCSource
from shoal.data.npy import NpySource
from shoal.data.parquet import ParquetSource
from shoal.testing import check_source

rng = np.random.default_rng(7)
N_ROWS = 1000


def table(n_rows=N_ROWS):
    """Columns of every kind, with missing values."""
    missing = rng.random(n_rows) < 0.1

    def holes(values):
        return pa.array(values, mask=missing)

    words = np.array(["red", "green", "blue"], dtype=object)[rng.integers(0, 3, n_rows)]
    return pa.table(
        {
            "f4": rng.normal(size=n_rows).astype(np.float32),
            "f8": holes(rng.normal(size=n_rows)),
            "f2": rng.normal(size=n_rows).astype(np.float16),
            "i8": rng.integers(-9, 9, n_rows).astype(np.int8),
            "i64": holes(rng.integers(-9, 9, n_rows)),
            "b": rng.random(n_rows) < 0.5,
            "bm": holes(rng.random(n_rows) < 0.5),
            "d": pa.array(rng.integers(0, 99, n_rows)).cast(pa.decimal128(21, 2)),
            "word": holes(words),
            "category": holes(words).dictionary_encode(),
            "coded": pa.array(rng.integers(0, 4, n_rows)).dictionary_encode(),
            "when": holes(rng.integers(0, 9, n_rows)).cast(pa.timestamp("ms")),
        }
    )


def simple_table():
    return table().drop(["f2", "d", "category", "coded"])


def matrix(dtype=np.float64, order="C"):
    return np.asarray(rng.normal(size=(N_ROWS, 5)) * 9, dtype=dtype, order=order)


def csr(n_rows=N_ROWS):
    return sparse.random_array((n_rows, 6), density=0.2, rng=rng, format="csr")


def pandas_frame():
    frame = simple_table().to_pandas()
    return frame.assign(nullable=pd.array([1, None] * (N_ROWS // 2), dtype="Int32"))


ARRAYS = {
    "C": matrix,
    "Fortran": lambda: matrix(np.float32, "F"),
    "strided": lambda: matrix()[::2, ::-2],
    "backwards": lambda: matrix()[::-1],
    "half": lambda: matrix(np.float16),
    "int": lambda: matrix(np.int16),
    "bool": lambda: matrix() > 0,
    "list": lambda: matrix().tolist(),
    "object": lambda: matrix().astype(object),
    "masked": lambda: np.ma.masked_greater(matrix(), 0.5),
    "CSR": csr,
    "CSR matrix": lambda: sparse.csr_matrix(csr()),
    "CSC": lambda: csr().tocsc(),
    "COO": lambda: csr().tocoo(),
    "several cells": lambda: rng.normal(size=(150_000, 2)),
    "several sparse cells": lambda: csr(70_000),
}

FRAMES = {
    "pandas": pandas_frame,
    "pandas of one type": lambda: pd.DataFrame(matrix(np.float32), columns=list("abcde")),
    "pandas objects": lambda: pd.DataFrame({"a": [1, "b", None, np.nan], "n": [1, 2, None, 3.5]}),
    "polars": lambda: pl.from_arrow(simple_table()),
    "polars lazy": lambda: pl.from_arrow(simple_table()).lazy(),
    "Arrow table": lambda: pa.concat_tables([table(300), table(700)]),
    "Arrow batch": lambda: table().to_batches()[0],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_array_source(name):
    check_source(ArraySource(ARRAYS[name]()))


@pytest.mark.parametrize("name", FRAMES)
def test_frame_source(name):
    check_source(FrameSource(FRAMES[name]()))


@pytest.mark.parametrize("n_files", [1, 7])
def test_parquet_source(tmp_path, n_files):
    for number in range(n_files):
        pq.write_table(table(), tmp_path / f"{number}.parquet", row_group_size=300)
    source = ParquetSource(tmp_path)
    assert len(source.cells()) == 4 * n_files
    check_source(source)


def test_hive_parquet_source(tmp_path):
    for year, kind in [("9", "a"), ("10", "__HIVE_DEFAULT_PARTITION__")]:
        folder = tmp_path / f"year={year}" / f"kind={kind}"
        folder.mkdir(parents=True)
        pq.write_table(simple_table(), folder / "part.parquet", row_group_size=400)
    source = ParquetSource(tmp_path)
    assert [column.name for column in source.columns][-2:] == ["year", "kind"]
    check_source(source)


def test_parquet_source_of_a_url():
    with fsspec.open("memory://conformance/a.parquet", "wb") as file:
        pq.write_table(table(), file, row_group_size=300)
    check_source(ParquetSource("memory://conformance/*.parquet"))


@pytest.mark.parametrize("compression", ["uncompressed", "lz4"])
def test_ipc_source(tmp_path, compression):
    for name in ("a", "b"):
        path = tmp_path / f"{name}.feather"
        feather.write_feather(table(), path, compression=compression, chunksize=300)
    source = IPCSource(tmp_path)
    assert len(source.cells()) == 8
    check_source(source)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_csv_source(tmp_path, suffix, monkeypatch):
    monkeypatch.setenv("SHOAL_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("a", "b"):
        with pa.output_stream(tmp_path / f"{name}{suffix}", compression="detect") as file:
            csv.write_csv(simple_table(), file)
    check_source(CSVSource(tmp_path / f"*{suffix}"))


def test_csv_source_of_several_cells(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOAL_CACHE_DIR", str(tmp_path / "cache"))
    rows = pa.table({"a": np.arange(150_000), "b": rng.normal(size=150_000)})
    csv.write_csv(rows, tmp_path / "a.csv")
    source = CSVSource(tmp_path / "a.csv")
    assert [cell.n_rows for cell in source.cells()] == [65_536, 65_536, 18_928]
    check_source(source)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, ">f4"])
def test_npy_source(tmp_path, order, dtype):
    for name in ("a", "b"):
        np.save(tmp_path / name, matrix(dtype, order))
    check_source(NpySource(tmp_path))


def filtered_array():
    x = da.from_array(matrix(), chunks=(300, 5))
    return x[x[:, 0] > 0]


COLLECTIONS = {
    "array": lambda: da.from_array(matrix(), chunks=(300, 2)),
    "array of unknown lengths": filtered_array,
    "frame": lambda: dd.from_pandas(pandas_frame(), npartitions=3),
    "computed frame": lambda: (
        dd.from_pandas(pandas_frame(), npartitions=3)
        .assign(more=lambda frame: frame.f4 * 2)
        .query("f4 > 0")
    ),
    "persisted": lambda: da.from_array(matrix(), chunks=(300, 2)).persist(),
}


@pytest.mark.parametrize("name", COLLECTIONS)
def test_dask_source(name):
    check_source(DaskSource(COLLECTIONS[name]()))


class Faulty(ArraySource):
    """A source with one promise broken."""

    def __init__(self, fault):
        super().__init__(rng.normal(size=(100_000, 3)))
        self.fault = fault

    def cells(self):
        cells = super().cells()
        return cells[1:] if self.fault == "gap" else cells

    def read(self, cell, columns, max_rows):
        for number, rows in enumerate(super().read(cell, columns, max_rows)):
            if self.fault == "columns":
                yield np.sort(rows, axis=1)
            elif self.fault == "pieces" and number:
                yield rows[::-1]
            elif self.fault == "type":
                yield rows.astype(np.float32)
            else:
                yield rows

    def fingerprint(self):
        return str(rng.random()) if self.fault == "fingerprint" else super().fingerprint()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("gap", "without gaps"),
        ("columns", "columns="),
        ("pieces", "max_rows="),
        ("type", "announced"),
        ("fingerprint", "not stable"),
    ],
)
def test_check_source_notices(fault, message):
    with pytest.raises(AssertionError, match=message):
        check_source(Faulty(fault))
