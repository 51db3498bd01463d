"""Schedulers that do not answer."""

import socket
import time

import distributed
import pytest

from shoal.engines import cluster as clusters
from shoal.engines.dask import DaskEngine
from shoal.exceptions import (
    ClusterUnreachableError,
)


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
