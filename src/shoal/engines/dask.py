"""Passes on a Dask cluster.

Each worker reads, decodes and keeps its own cells from one pass to the next, folds them with its
own threads, and sends back one partial a pass; the driver merges these. What a worker keeps is
its *tenant*, which is called beside Dask's tasks (`shoal.engines.channel`): these took ten times as
long on their way through queues.

Only the driver decides: tenants answer calls, and a call whose worker dies is made again
elsewhere for the same cells.
"""

import asyncio
import logging
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence, Set
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4
from weakref import WeakKeyDictionary, finalize, ref

from shoal.callbacks import row_counter
from shoal.data.block import Block
from shoal.data.dask_collections import DaskSource
from shoal.data.dataset import Dataset
from shoal.data.plan import memory_bytes, threads
from shoal.data.source import Cell, Source
from shoal.engines.channel import LEASE_SECONDS, Channel, Parcel, stay
from shoal.engines.cluster_pass import ClusterPass, Layout, WorkerRecord
from shoal.engines.engine import Engine, check_windows
from shoal.engines.sent_rows import DriverRows, Recipe, RowNames, messages
from shoal.engines.statistic import Statistic
from shoal.exceptions import ClusterUnreachableError, EngineError, WorkersLostError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster
    from distributed.deploy.cluster import Cluster

logger = logging.getLogger("shoal")

Answer = TypeVar("Answer")
Partial = TypeVar("Partial")
Result = TypeVar("Result")

#: How long a scheduler may take to answer, and a pass waits for a first worker.
CONNECT_TIMEOUT_SECONDS = 8.0
WORKERS_TIMEOUT_SECONDS = 60.0

#: How soon a pass uses workers that have joined. Those that are gone do not answer.
CENSUS_SECONDS = 0.25


class DaskEngine(Engine):
    """Runs passes on the workers of a Dask cluster.

    Workers read their own cells from files, and those of a persisted Dask collection where they
    lie. Rows that live in this process are sent to them once, and again where a worker that had
    them dies: all datasets that come from the same source share them. They stay while a dataset
    that uses them does, and then until their source is gone or rows of another one are worked
    with. The cell is the unit that is given to a worker, so files of few row groups keep few
    workers busy.

    A worker that dies costs time: its cells are folded again by the others within the same pass.
    Workers that join are used from the next pass on.

    Parameters
    ----------
    client_or_address_or_cluster : distributed.Client, str or Cluster, default=None
        A cluster to use and to leave as it is found. An address of the form ``"tls://..."``
        finds its certificates in Dask's configuration (``distributed.comm.tls``); a client or
        a cluster brings its own. By default a cluster is started on this machine, of one process
        a core, with mutual TLS by certificates made for it alone and no HTTP routes; it ends with
        the engine.
    memory : int or str, default=None
        Budget of each worker, in bytes or as text such as ``"2GB"``. By default half of the limit
        that Dask sets a worker, or of what the machine has available.

    Raises
    ------
    ClusterUnreachableError
        No scheduler answers, or it refuses the certificates.

    Notes
    -----
    A scheduler that dies takes the pass with it (`ClusterUnreachableError`): resume the fit from
    its checkpoint on another one.

    Dask has its workers' ``malloc`` give memory back at once, and fresh pages for each pass cost
    K-means a quarter of its time. The cluster started here keeps them; for workers of your own, set
    ``distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_`` to ``16777216`` and
    ``MALLOC_MMAP_THRESHOLD_`` beside it to ``4194304`` in Dask's configuration.

    Examples
    --------
    >>> from shoal import DaskEngine
    >>> from shoal.cluster import KMeans
    >>> with DaskEngine() as engine:  # doctest: +SKIP
    ...     model = KMeans(8).fit("flights/*.parquet")
    """

    def __init__(
        self,
        client_or_address_or_cluster: "Client | str | Cluster | None" = None,
        memory: int | str | None = None,
    ) -> None:
        super().__init__()
        self._memory = None if memory is None else memory_bytes(memory)
        self._layouts: WeakKeyDictionary[Dataset, Layout] = WeakKeyDictionary()
        self._homes: WeakKeyDictionary[Source, dict[int, str]] = WeakKeyDictionary()
        self._names = RowNames()
        self._workers: dict[str, WorkerRecord] = {}
        self._census: dict[str, int] = {}
        self._census_ends = 0.0
        self._is_closed = self._scheduler_is_lost = False
        with ExitStack() as stack:
            target = client_or_address_or_cluster
            if target is None:
                target = stack.enter_context(local_cluster())
                self._memory = self._memory or memory_bytes(None) // len(target.workers)
            self._client: Any = stack.enter_context(_connection(target))
            self._address: str = self._client.scheduler.address
            self._channel = Channel(self._client)
            self._stack = stack.pop_all()

    def fold(self, dataset: Dataset, statistic: Statistic[Partial, Result]) -> Result:
        check_windows(dataset, statistic)
        partials = self._answers(dataset, "fold", statistic)
        return statistic.result(reduce(statistic.merge, partials, statistic.zero()))

    def map_cells(
        self, dataset: Dataset, function: Callable[[Cell, Iterator[Block]], Result]
    ) -> list[Result]:
        results: dict[int, Result] = reduce(or_, self._answers(dataset, "map_cells", function))
        return [results[cell.index] for cell in dataset.cells]

    def map_blocks(
        self, dataset: Dataset, function: Callable[[Block], Result]
    ) -> Iterator[tuple[Block, Result]]:
        count_rows = row_counter()
        unsent = deque(dataset.cells)
        answers: dict[int, list[tuple[Block, Result]]] = {}
        with ClusterPass[Any](self, dataset, "map_blocks", function) as running:
            for cell in dataset.cells:
                while cell.index not in answers:
                    while unsent and unsent[0].index <= cell.index + running.n_ahead:
                        running.send([unsent.popleft()])
                    answers |= running.answer()[1]
                yield from answers.pop(cell.index)
                count_rows(cell.n_rows)

    def release(self, dataset: Dataset) -> None:
        layout = self._layouts.pop(dataset, None)
        if layout is not None:
            self._everywhere(lambda worker: self._forget(worker, {layout.token}))

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._layouts.clear()
        self._everywhere(self._channel.close)
        self._await_leases()
        for worker in list(self._workers.values()):
            self.dismiss(worker)
        self._stack.close()

    def tidy(self) -> None:
        """Begin to free on workers what belongs to no source that lives."""
        if not self._is_closed and self._is_connected:
            for worker in list(self._workers.values()):
                self.start(self._forget_unused(worker))

    def layout(self, dataset: Dataset) -> Layout:
        """Where the cells of `dataset` live."""
        if dataset not in self._layouts:
            root = dataset.source.root
            if root not in self._homes:
                self._homes[root] = self._found(root)
                finalize(root, _tidy, ref(self)).atexit = False
            self._layouts[dataset] = Layout(self._homes[root], self._names.needed(dataset))
        return self._layouts[dataset]

    def workers(self) -> Mapping[str, WorkerRecord]:
        """The workers that are there now, by address; waits for one."""
        if self._is_closed:
            raise EngineError("This DaskEngine is closed. Make a new one.")
        n_threads = self._present()
        for worker in list(self._workers.values()):
            if worker.address not in n_threads:
                self.dismiss(worker)
        for address in n_threads.keys() - self._workers.keys():
            self._workers[address] = self._hire(address, n_threads[address])
        return dict(self._workers)

    def dismiss(self, worker: WorkerRecord) -> None:
        """Count no longer on a worker, nor on anything it holds."""
        self._census_ends = 0.0
        worker.lease.release()
        self._channel.forget(worker)
        if self._workers.get(worker.address) is worker:
            del self._workers[worker.address]

    def await_removal(self, worker: WorkerRecord) -> None:
        """Give the scheduler a moment to notice, too, that a worker is lost."""
        patience = time.monotonic() + 2
        while worker.address in self._n_threads() and time.monotonic() < patience:
            time.sleep(0.05)

    def is_present(self, worker: WorkerRecord) -> bool:
        """Whether the scheduler still counts on a worker."""
        return worker.address in self._n_threads()

    def start(self, call: Coroutine[Any, Any, Answer]) -> Future[Answer]:
        """Run a coroutine beside this thread."""
        return asyncio.run_coroutine_threadsafe(call, self._client.loop.asyncio_loop)

    def pickled(self, argument: Any) -> Parcel:
        """The argument of a pass, pickled once for all workers."""
        return Parcel.of((argument,))

    async def work(self, worker: WorkerRecord, method: str, argument: Parcel, *where: Any) -> Any:
        """What a method of a worker's tenant returns."""
        try:
            return await self._channel.call(worker, method, argument, *where)
        except OSError as error:
            raise self._lose_scheduler() from error

    async def cancel(self, worker: WorkerRecord, running: str) -> None:
        """Stop what a worker does for a pass."""
        await self.work(worker, "cancel", Parcel.of((running,)))

    async def prepare(self, worker: WorkerRecord, dataset: Dataset, cells: Sequence[Cell]) -> None:
        """Tell a worker what it may forget, and what it lacks to read these cells."""
        layout = self.layout(dataset)
        async with worker.preparing:
            if not worker.has_tenant:
                await self._channel.open(worker, self._memory)
                worker.has_tenant = True
            await self._forget(worker, worker.sent.keys() - self._in_use(dataset.source))
            if layout.token not in worker.sent:
                recipe = Recipe.of(dataset, layout.rows)
                await self.work(worker, "receive", Parcel.of((layout.token, recipe)))
                worker.sent[layout.token] = set()
            for rows in layout.rows.values():
                await self._send(worker, rows, cells)

    def _in_use(self, *sources: Source) -> set[str]:
        """What workers are to keep while they work with these sources."""
        layouts = list(self._layouts.values())
        names = [self._names.of(source) for source in sources]
        return set().union(*names, *(layout.names for layout in layouts))

    async def _forget_unused(self, worker: WorkerRecord) -> None:
        async with worker.preparing:
            living = [root for known in self._homes.keyrefs() if (root := known()) is not None]
            await self._forget(worker, worker.sent.keys() - self._in_use(*living))

    async def _send(self, worker: WorkerRecord, rows: DriverRows, cells: Sequence[Cell]) -> None:
        """Send those rows of these cells that a worker lacks."""
        sent = worker.sent.setdefault(rows.name, set())
        lacking = [cell for cell in rows.cells(cells) if cell.index not in sent]
        for pieces in messages(rows, lacking):
            await self.work(worker, "receive_rows", Parcel.of((rows.name, pieces)))
        sent.update(cell.index for cell in lacking)

    async def _forget(self, worker: WorkerRecord, names: Set[str]) -> None:
        names = names & worker.sent.keys()
        if names:
            await self.work(worker, "forget", Parcel.of((names,)))
        for name in names:
            # `release` may have been as quick.
            worker.sent.pop(name, None)

    def _found(self, root: Source) -> dict[int, str]:
        """Where rows of a persisted collection lie: addresses by index of the cell."""
        if not isinstance(root, DaskSource):
            return {}
        return root.homes(self._client)

    def _answers(self, dataset: Dataset, method: str, argument: Any) -> Iterator[Any]:
        """What each worker answers for all its cells, as soon as it does."""
        count_rows = row_counter()
        with ClusterPass[Any](self, dataset, method, argument) as running:
            running.send(dataset.cells)
            while running.is_waiting:
                cells, answer = running.answer()
                yield answer
                count_rows(sum(cell.n_rows for cell in cells))

    def _hire(self, address: str, n_threads: int) -> WorkerRecord:
        name = f"shoal-{uuid4().hex}"
        lease = self._client.submit(
            stay, name, self._memory, key=name, workers=[address], pure=False
        )
        return WorkerRecord(address, n_threads, name, lease)

    def _present(self) -> dict[str, int]:
        """Threads of each worker by address; waits until there is one."""
        n_threads = self._census
        if not n_threads or time.monotonic() > self._census_ends:
            n_threads = self._n_threads()
        if not n_threads:
            with suppress(TimeoutError):
                self._client.wait_for_workers(1, timeout=WORKERS_TIMEOUT_SECONDS)
            n_threads = self._n_threads()
        if not n_threads:
            raise WorkersLostError(
                f"The cluster at {self._address} has had no worker for "
                f"{WORKERS_TIMEOUT_SECONDS:g} seconds. Start some, then fit again, from the "
                "checkpoint if there is one."
            )
        return n_threads

    def _n_threads(self) -> dict[str, int]:
        if not self._is_connected:
            raise self._lose_scheduler()
        try:
            self._census = dict(self._client.nthreads())
            self._census_ends = time.monotonic() + CENSUS_SECONDS
            return self._census
        except (OSError, RuntimeError) as error:
            raise self._lose_scheduler() from error

    def _everywhere(self, call: "Callable[[WorkerRecord], Coroutine[Any, Any, None]]") -> None:
        """Do something on all workers, for as long as it is worth waiting."""
        if self._is_connected:
            calls = [self.start(call(worker)) for worker in self._workers.values()]
            wait(calls, timeout=CONNECT_TIMEOUT_SECONDS)

    def _await_leases(self) -> None:
        """Let leases that are about to end do so: Dask would warn of each."""
        from distributed import wait as wait_for_tasks

        leases = [worker.lease for worker in self._workers.values()]
        with self._client.as_current(), suppress(TimeoutError, CancelledError):
            wait_for_tasks(leases, timeout=LEASE_SECONDS)

    @property
    def _is_connected(self) -> bool:
        # The client itself learns of a lost scheduler a moment after a call may have.
        return not self._scheduler_is_lost and self._client.status == "running"

    def _lose_scheduler(self) -> ClusterUnreachableError:
        """Count no longer on the scheduler; the error to be raised."""
        self._scheduler_is_lost = True
        return ClusterUnreachableError(
            f"The Dask scheduler at {self._address} is gone, and what its workers held with it. "
            "Start a cluster again, and fit again with the same checkpoint to go on from there."
        )

    def __repr__(self) -> str:
        return f"<DaskEngine on {self._address}>"


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
    """
    import dask
    from distributed import LocalCluster
    from distributed.security import Security

    security = Security.temporary()
    directory = tempfile.mkdtemp(prefix="shoal-dask-")
    try:
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
        with cluster, dask.config.set(_DEPLOY_CONFIG):
            yield cluster
    finally:
        shutil.rmtree(directory, ignore_errors=True)


_SCHEDULER_CONFIG = {
    "distributed.scheduler.http.routes": [],
    "distributed.scheduler.worker-ttl": "30s",
    # Dask has malloc give back every 64 KB at once: the arrays of each pass would come from fresh
    # pages, which cost K-means a quarter of its time. So those stay; rows that were sent do not.
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 4 << 20,
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 16 << 20,
}

#: Asked for whenever a worker dies: one that takes longer to start again would be given up.
_DEPLOY_CONFIG = {"distributed.deploy.lost-worker-timeout": "5 minutes"}

_WORKER_CONFIG = {
    "distributed.worker.http.routes": [],
    # It looks at all threads a hundred times a second, for a dashboard that is not there.
    "distributed.worker.profile.enabled": False,
    # Imported by the first call, Shoal would keep a worker from showing signs of life.
    "distributed.worker.preload": [__name__],
}


@contextmanager
def _connection(target: "Client | str | Cluster") -> "Iterator[Client]":
    """A connection of our own to the scheduler of `target`, which stays as it is."""
    from distributed import Client

    if isinstance(target, str):
        _greet(target)
        address, security = target, None
    elif isinstance(target, Client):
        address, security = target.scheduler.address, target.security
    else:
        address, security = target.scheduler_address, target.security
    client = Client(
        address, security=security, timeout=CONNECT_TIMEOUT_SECONDS, set_as_default=False
    )
    try:
        yield client
    finally:
        # A client that has lost its scheduler would wait for it a minute.
        with suppress(TimeoutError):
            client.close(timeout=CONNECT_TIMEOUT_SECONDS if client.status == "running" else 1)


def _tidy(engine: "ref[DaskEngine]") -> None:
    """Let an engine tidy up, if it is there: a source that outlives it does not keep it."""
    if (living := engine()) is not None:
        living.tidy()


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
