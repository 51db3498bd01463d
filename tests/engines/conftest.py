"""Rows, files and a cluster of two workers."""

from collections.abc import Iterator
from pathlib import Path

import distributed
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.engines.clusters import N_FILES, N_ROWS, SentBytes, Sums, connected

from shoal.data.dataset import Dataset
from shoal.data.open import open_dataset
from shoal.engines import holdings
from shoal.engines.dask import DaskEngine
from shoal.engines.local_cluster import local_cluster


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 1000, (N_ROWS, 3)).astype(np.float64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> Path:
    """Parquet files of two row groups each."""
    folder = tmp_path_factory.mktemp("files")
    for number, rows in enumerate(np.split(values, N_FILES)):
        table = pa.table({f"x{column}": rows[:, column] for column in range(rows.shape[1])})
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=500)
    return folder


@pytest.fixture(scope="module")
def files(folder: Path) -> Dataset:
    return open_dataset(str(folder / "*.parquet"))


@pytest.fixture(scope="module")
def expected(values: np.ndarray) -> Sums:
    return N_ROWS, N_ROWS * (N_ROWS - 1) // 2, int(values.sum())


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    with local_cluster(2) as cluster:
        yield cluster


@pytest.fixture
def engine(cluster: distributed.LocalCluster) -> Iterator[DaskEngine]:
    with connected(cluster) as client:
        client.wait_for_workers(2, timeout=90)
    with DaskEngine(cluster, memory="100MB") as engine:
        yield engine


@pytest.fixture
def many(values: np.ndarray) -> Dataset:
    """Rows of this process, in a few cells."""
    return open_dataset(np.tile(values, (60, 1)))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> SentBytes:
    sent = SentBytes()
    monkeypatch.setattr(holdings, "messages", sent)
    return sent
