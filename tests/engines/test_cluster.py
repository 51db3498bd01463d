"""Schedulers that do not answer, and engines that are used where they cannot be."""

import multiprocessing
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import distributed
import numpy as np
import pytest
from tests.engines.clusters import RowSums, Sums, connected, nothing, tenants

from shoal.data.dataset import Dataset
from shoal.data.open import open_dataset
from shoal.engines import cluster as clusters
from shoal.engines.dask import DaskEngine
from shoal.exceptions import ClusterUnreachableError, EngineError, ParameterError


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "CONNECT_TIMEOUT_SECONDS", 1.0)


@pytest.mark.usefixtures("_impatient")
def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(ClusterUnreachableError, match=rf"127\.0\.0\.1:{port}.*Check"):
        DaskEngine(f"tcp://127.0.0.1:{port}")
    assert time.monotonic() - began < 10


@pytest.mark.usefixtures("_impatient")
def test_nobody_answers() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ClusterUnreachableError, match="No Dask scheduler answers"),
    ):
        DaskEngine(f"tcp://127.0.0.1:{silent.getsockname()[1]}")


def test_no_certificates(cluster: distributed.LocalCluster) -> None:
    with pytest.raises(ClusterUnreachableError, match="certificates"):
        DaskEngine(cluster.scheduler_address)


def test_a_closed_client(cluster: distributed.LocalCluster) -> None:
    with connected(cluster) as client:
        pass
    with pytest.raises(ClusterUnreachableError, match="client is closed"):
        DaskEngine(client)


def test_neither_address_nor_cluster() -> None:
    with pytest.raises(ParameterError, match="not 8786"):
        DaskEngine(8786)  # type: ignore[arg-type]


def test_a_pass_that_outlives_its_engine(engine: DaskEngine, many: Dataset) -> None:
    blocks = engine.map_blocks(many, nothing)
    next(blocks)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        list(blocks)


def test_a_fork_is_told(engine: DaskEngine, files: Dataset, expected: Sums) -> None:
    assert engine.fold(files, RowSums()) == expected
    told, tell = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        try:
            engine.fold(files, RowSums())
        except EngineError as error:
            tell.send(str(error))
        finally:
            engine.close()
            os._exit(0)
    assert told.poll(20)
    assert "forked" in told.recv()
    assert os.waitpid(child, 0)[1] == 0
    assert engine.fold(files, RowSums()) == expected


def test_threads_share_an_engine(
    cluster: distributed.LocalCluster, values: np.ndarray, expected: Sums
) -> None:
    begin = threading.Barrier(4, timeout=30)

    def fold(engine: DaskEngine) -> Sums:
        dataset = open_dataset(values.copy())
        begin.wait()
        return engine.fold(dataset, RowSums())

    with DaskEngine(cluster, memory="100MB") as engine, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fold, [engine] * 4)) == [expected] * 4
        with connected(cluster) as client:
            assert [len(names) for names in client.run(tenants).values()] == [1, 1]
