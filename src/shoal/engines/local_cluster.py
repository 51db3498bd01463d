"""The cluster that an engine starts where it is given none."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import current_process
from typing import TYPE_CHECKING

from shoal.data.plan import threads
from shoal.exceptions import EngineError

if TYPE_CHECKING:
    from distributed import LocalCluster


@contextmanager
def local_cluster(
    n_workers: int | None = None, threads_per_worker: int = 1
) -> "Iterator[LocalCluster]":
    """A cluster on this machine that nobody else can use.

    Mutual TLS by certificates that live in memory and only for this cluster; no HTTP route;
    temporary files in a private directory that is removed. Dask's own memory limits are off:
    Shoal keeps its budget itself, and spilled rows would be readable by others.

    Parameters
    ----------
    n_workers : int, default=None
        Processes; None for one a core.
    threads_per_worker : int, default=1

    Yields
    ------
    cluster : distributed.LocalCluster

    Raises
    ------
    EngineError
        This process may start no others.
    """
    if current_process().daemon:
        raise EngineError(
            "A daemonic process, such as a worker of Dask or of a multiprocessing.Pool, may start "
            "no cluster. Give DaskEngine one that runs (within a task of Dask: "
            "distributed.get_client()), or use LocalEngine."
        )
    import dask
    from distributed import LocalCluster
    from distributed.security import Security

    security = Security.temporary()
    directory = tempfile.mkdtemp(prefix="shoal-dask-")
    try:
        with _environment(_MALLOC), dask.config.set(_DEPLOY_CONFIG):
            with dask.config.set(_SCHEDULER_CONFIG):
                cluster = LocalCluster(
                    n_workers=threads(n_workers),
                    threads_per_worker=threads_per_worker,
                    host="127.0.0.1",
                    protocol="tls://",
                    security=security,
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                    local_directory=directory,
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                    config=_WORKER_CONFIG,
                )
            with cluster:
                yield cluster
    finally:
        shutil.rmtree(directory, ignore_errors=True)


_SCHEDULER_CONFIG = {
    "distributed.scheduler.http.routes": [],
    "distributed.scheduler.worker-ttl": "30s",
}

#: Asked for whenever a worker dies: one that takes longer to start again would be given up.
_DEPLOY_CONFIG = {"distributed.deploy.lost-worker-timeout": "5 minutes"}

#: Dask has malloc give back every 64 KB at once: the arrays of each pass would come from fresh
#: pages, which cost K-means a quarter of its time. So those stay; rows that were sent do not. This
#: is no matter of Dask's configuration: clusters that were started before have left theirs in the
#: environment, which goes first.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(4 << 20), "MALLOC_TRIM_THRESHOLD_": str(16 << 20)}

_WORKER_CONFIG = {
    "distributed.worker.http.routes": [],
    # It looks at all threads a hundred times a second, for a dashboard that is not there.
    "distributed.worker.profile.enabled": False,
    # Imported by the first call, Shoal would keep a worker from showing signs of life.
    "distributed.worker.preload": ["shoal.engines.channel"],
}


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Processes that are started meanwhile have these variables."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
