"""A cluster on this machine that nobody else can use."""

import os
import resource
import socket
import ssl
import sys
from contextlib import suppress
from pathlib import Path

import distributed
import numpy as np
import psutil
import pytest
from distributed.security import Security
from tests.engines.clusters import connected, worker_pids

from shoal.engines.local_cluster import local_cluster
from shoal.exceptions import EngineError


@pytest.mark.skipif(sys.platform != "linux", reason="malloc of glibc")
def test_memory_of_a_pass_serves_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def new_pages() -> int:
        for _ in range(10):
            np.ones(1 << 17)
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        np.ones(1 << 17)
        return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before

    # As a cluster of Dask's leaves it in the process that started it.
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    with local_cluster(1) as cluster, connected(cluster) as client:
        assert max(client.run(new_pages).values()) < 100
    assert os.environ["MALLOC_TRIM_THRESHOLD_"] == "65536"


def test_workers_may_start_none(cluster: distributed.LocalCluster) -> None:
    def start() -> str:
        with pytest.raises(EngineError, match=r"daemonic .*get_client"), local_cluster(1):
            pass
        return "told"

    with connected(cluster) as client:
        assert client.submit(start, pure=False).result(timeout=30) == "told"


class TestSecurity:
    @pytest.fixture
    def address(self, cluster: distributed.LocalCluster) -> tuple[str, int]:
        host, port = cluster.scheduler_address.removeprefix("tls://").split(":")
        return host, int(port)

    def test_certificates_of_the_cluster_are_accepted(
        self, address: tuple[str, int], cluster: distributed.LocalCluster
    ) -> None:
        assert handshake(address, cluster.security.get_connection_args("client")["ssl_context"])

    def test_no_certificate_is_refused(self, address: tuple[str, int]) -> None:
        with pytest.raises(ssl.SSLError, match="certificate required"):
            handshake(address, unverified())

    def test_another_certificate_is_refused(self, address: tuple[str, int]) -> None:
        other = Security.temporary().get_connection_args("client")["ssl_context"]
        other.check_hostname, other.verify_mode = False, ssl.CERT_NONE
        with pytest.raises(ssl.SSLError, match="unknown ca"):
            handshake(address, other)

    def test_plain_text_is_refused(self, address: tuple[str, int]) -> None:
        with socket.create_connection(address, timeout=5) as plain:
            plain.sendall(b"\0" * 64)
            with suppress(ConnectionResetError):
                assert plain.recv(64) in {b"", TLS_ALERT}

    def test_http_answers_nothing(self, cluster: distributed.LocalCluster) -> None:
        processes = [psutil.Process(), *map(psutil.Process, worker_pids(cluster).values())]
        addresses = {
            socket.laddr
            for process in processes
            for socket in process.net_connections("tcp")
            if socket.status == psutil.CONN_LISTEN
        }
        assert len(addresses) >= 3
        for host, port in addresses:
            assert host == "127.0.0.1"
            for path in ("/", "/status", "/health", "/metrics", "/info/main/workers.html"):
                assert not http_succeeds(port, path), (port, path)

    def test_temporary_files_are_private(self, cluster: distributed.LocalCluster) -> None:
        def directory(dask_worker: distributed.Worker) -> str:
            return dask_worker.local_directory

        with connected(cluster) as client:
            for path in client.run(directory).values():
                private = next(p for p in Path(path).parents if p.name.startswith("shoal-dask-"))
                assert private.stat().st_mode & 0o777 == 0o700


TLS_ALERT = b"\x15\x03\x03\x00\x02\x02\x46"


def unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def handshake(address: tuple[str, int], context: ssl.SSLContext) -> bool:
    """Whether the other side sends its first message; raises where it refuses."""
    with (
        socket.create_connection(address, timeout=5) as plain,
        context.wrap_socket(plain) as secured,
    ):
        return len(secured.recv(1)) == 1


def http_succeeds(port: int, path: str) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as plain:
        plain.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return plain.recv(64).split()[1:2] == [b"200"]
    return False
