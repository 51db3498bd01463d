"""The workers of a Dask cluster: who is there, and calls to what they keep."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from shoal.engines.callers import Callers
from shoal.engines.channel import LEASE_SECONDS, Channel, Parcel, WorkerRecord, stay
from shoal.exceptions import ClusterUnreachableError, EngineError, ParameterError, WorkersLostError

if TYPE_CHECKING:
    from distributed import Client
    from distributed.deploy.cluster import Cluster as DaskCluster

Answer = TypeVar("Answer")

#: How long a scheduler may take to answer, and a pass waits for a first worker.
CONNECT_TIMEOUT_SECONDS = 8.0
WORKERS_TIMEOUT_SECONDS = 60.0

#: How soon a pass uses workers that have joined. Those that are gone do not answer.
CENSUS_SECONDS = 0.25

#: How long the scheduler may take to notice that a worker is lost.
REMOVAL_SECONDS = 2.0


class Cluster:
    """The workers that one engine uses. Its methods may be called from any thread.

    Parameters
    ----------
    client : distributed.Client
        A connection of our own to the scheduler.
    memory_bytes : int, default=None
        Budget of each worker; None for half of its limit.

    Attributes
    ----------
    client : distributed.Client
    address : str
        Of the scheduler.
    """

    def __init__(self, client: "Client", memory_bytes: int | None = None) -> None:
        self.client: Any = client
        self.address: str = self.client.scheduler.address
        self._memory_bytes = memory_bytes
        self._channel = Channel(client)
        self._callers = Callers()
        self._workers: dict[str, WorkerRecord] = {}
        self._census: dict[str, int] = {}
        self._census_ends = 0.0
        self._is_lost = self._is_closed = False
        self._process_id = os.getpid()
        # Passes of two threads hire each worker once.
        self._hiring = RLock()

    @property
    def is_connected(self) -> bool:
        """Whether there is a scheduler to call, as far as is known."""
        # The client itself learns of a lost scheduler a moment after a call may have.
        is_usable = not (self._is_lost or self._is_closed or self.is_forked)
        return is_usable and self.client.status == "running"

    @property
    def is_forked(self) -> bool:
        """Whether this process is a copy: the thread that makes calls is not in it."""
        return os.getpid() != self._process_id

    def workers(self) -> Mapping[str, WorkerRecord]:
        """The workers that are there now, by address; waits for one."""
        if self.is_forked:
            raise EngineError(
                "This DaskEngine was made by the process that this one was forked from. Make "
                "another one here."
            )
        with self._hiring:
            self._check_open()
            n_threads = self._present()
            for worker in list(self._workers.values()):
                if worker.address not in n_threads:
                    self._dismiss(worker)
            for address in n_threads.keys() - self._workers.keys():
                self._workers[address] = self._hire(address, n_threads[address])
            return dict(self._workers)

    def lose(self, worker: WorkerRecord) -> None:
        """Count no longer on a worker; gives the scheduler a moment to notice that, too."""
        self._dismiss(worker)
        patience = time.monotonic() + REMOVAL_SECONDS
        while self.is_present(worker) and time.monotonic() < patience:
            time.sleep(0.05)

    def is_present(self, worker: WorkerRecord) -> bool:
        """Whether the scheduler counts on a worker."""
        return worker.address in self._n_threads()

    def start(self, call: Callable[..., Answer], *arguments: Any) -> Future[Answer]:
        """Begin a call beside this thread; one that comes after the end has failed."""
        return _failed(_closed()) if self._is_closed else self._callers.start(call, *arguments)

    def open(self, worker: WorkerRecord) -> None:
        """Make the tenant of a worker, if there is none yet."""
        if not worker.has_tenant:
            self._channel.open(worker, self._memory_bytes)
            worker.has_tenant = True

    def call(self, worker: WorkerRecord, method: str, arguments: Parcel, *where: Any) -> Any:
        """What a method of a worker's tenant returns, or raises: as `Channel.call`."""
        return self._channel.call(worker, method, arguments, *where)

    def everywhere(self, call: Callable[[WorkerRecord], None]) -> None:
        """Do something on all workers, for as long as it is worth waiting."""
        wait(self._start_everywhere(call), timeout=CONNECT_TIMEOUT_SECONDS)

    def soon_everywhere(self, call: Callable[[WorkerRecord], None]) -> None:
        """Begin to do something on all workers. Waits for nothing, so that finalizers may ask."""
        if self.is_connected:
            self.client.loop.add_callback(self._start_everywhere, call)

    def close(self) -> None:
        """Close all tenants. Idempotent."""
        if self._is_closed:
            return
        self.everywhere(self._channel.close)
        self._is_closed = True
        self._await_leases()
        for worker in list(self._workers.values()):
            self._dismiss(worker)
        self._callers.end()

    def _start_everywhere(self, call: Callable[[WorkerRecord], None]) -> list[Future[None]]:
        """Begin to do something on all workers that can be called."""
        workers = list(self._workers.values()) if self.is_connected else []
        return [self.start(call, worker) for worker in workers]

    def _check_open(self) -> None:
        if self._is_closed:
            raise _closed()

    def _dismiss(self, worker: WorkerRecord) -> None:
        """Let go of a worker and of what it holds."""
        self._census_ends = 0.0
        worker.lease.release()
        self._channel.forget(worker)
        if self._workers.get(worker.address) is worker:
            del self._workers[worker.address]

    def _hire(self, address: str, n_threads: int) -> WorkerRecord:
        name = f"shoal-{uuid4().hex}"
        lease = self.client.submit(
            stay, name, self._memory_bytes, key=name, workers=[address], pure=False
        )
        return WorkerRecord(address, n_threads, name, lease)

    def _present(self) -> dict[str, int]:
        """Threads of each worker by address; waits until there is one."""
        n_threads = self._census
        if not n_threads or time.monotonic() > self._census_ends:
            n_threads = self._n_threads()
        if not n_threads:
            with suppress(TimeoutError):
                self.client.wait_for_workers(1, timeout=WORKERS_TIMEOUT_SECONDS)
            n_threads = self._n_threads()
        if not n_threads:
            raise WorkersLostError(
                f"The cluster at {self.address} has had no worker for "
                f"{WORKERS_TIMEOUT_SECONDS:g} seconds. Start some, then fit again, from the "
                "checkpoint if there is one."
            )
        return n_threads

    def _n_threads(self) -> dict[str, int]:
        self._check_open()
        if not self.is_connected:
            raise self._lose_scheduler()
        try:
            self._census = dict(self.client.nthreads())
            self._census_ends = time.monotonic() + CENSUS_SECONDS
            return self._census
        except (OSError, RuntimeError) as error:
            raise self._lose_scheduler() from error

    def _await_leases(self) -> None:
        """Let leases that are about to end do so: Dask would warn of each."""
        from distributed import wait as wait_for_tasks

        leases = [worker.lease for worker in self._workers.values()]
        with self.client.as_current(), suppress(TimeoutError, CancelledError):
            wait_for_tasks(leases, timeout=LEASE_SECONDS)

    def _lose_scheduler(self) -> ClusterUnreachableError:
        """Count no longer on the scheduler; the error to be raised."""
        self._is_lost = True
        return ClusterUnreachableError(
            f"The Dask scheduler at {self.address} is gone, and what its workers held with it. "
            "Start a cluster again, and fit again with the same checkpoint to go on from there."
        )


def _closed() -> EngineError:
    return EngineError("This DaskEngine is closed. Make a new one.")


def _failed(error: Exception) -> Future[Any]:
    ended: Future[Any] = Future()
    ended.set_exception(error)
    return ended


@contextmanager
def connection(target: "Client | str | DaskCluster") -> "Iterator[Client]":
    """A connection of our own to the scheduler of `target`, which stays as it is."""
    from distributed import Client

    if isinstance(target, str):
        _greet(target)
        address, security = target, None
    elif isinstance(target, Client):
        if target.scheduler is None:
            raise ClusterUnreachableError("The client is closed. Give DaskEngine one that is not.")
        address, security = target.scheduler.address, target.security
    elif hasattr(target, "scheduler_address"):
        address, security = target.scheduler_address, target.security
    else:
        raise ParameterError(
            "DaskEngine takes the address of a scheduler, a distributed.Client or a cluster of "
            f"Dask, not {target!r}."
        )
    client = Client(
        address, security=security, timeout=CONNECT_TIMEOUT_SECONDS, set_as_default=False
    )
    try:
        yield client
    finally:
        # A client that has lost its scheduler would wait for it a minute.
        with suppress(TimeoutError):
            client.close(timeout=CONNECT_TIMEOUT_SECONDS if client.status == "running" else 1)


def _greet(address: str) -> None:
    """Check that a scheduler answers, in a while that is bounded as that of a Client is not."""
    from distributed.core import connect
    from distributed.security import Security

    async def greet() -> None:
        await (await connect(address, **Security().get_connection_args("client"))).close()

    try:
        # On a thread of its own: a notebook's already runs an event loop.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, asyncio.wait_for(greet(), CONNECT_TIMEOUT_SECONDS)).result()
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise ClusterUnreachableError(
            f"No Dask scheduler answers at {address!r}: {error!r}. Check that it runs, that host "
            "and port are right and reachable from here, and that it is not tls:// without "
            "certificates: give these in Dask's configuration (distributed.comm.tls), or give "
            "DaskEngine a distributed.Client made with security=..."
        ) from error
