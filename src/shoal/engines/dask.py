"""Passes on a Dask cluster.

Each worker reads, decodes and keeps its own cells from one pass to the next, folds them with its
own threads, and sends back one partial a pass; the driver merges these. What a worker keeps is
its *tenant*, made and addressed through Dask's channel for functions run beside tasks: two
calls there took 4 ms where two tasks, on their way through queues, took 40. Beside each tenant
lives a *lease*, a Dask task that waits: while it does, the scheduler counts the worker as busy;
when it is cancelled, or the driver is gone, the tenant goes too.

Only the driver decides: tenants answer calls, and a call whose worker dies is made again
elsewhere for the same cells.
"""

import asyncio
import logging
import shutil
import tempfile
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from math import lcm
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from uuid import uuid4
from weakref import WeakKeyDictionary

from shoal.callbacks import row_counter
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.plan import available_memory_bytes, memory_bytes, threads
from shoal.data.source import Cell
from shoal.engines.engine import Engine
from shoal.engines.statistic import Statistic
from shoal.engines.tenant import Tenant, messages, recipe
from shoal.exceptions import ClusterUnreachableError, EngineError, WorkersLostError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster, Worker
    from distributed import Future as Task
    from distributed.deploy.cluster import Cluster

logger = logging.getLogger("shoal")

Answer = TypeVar("Answer")
Partial = TypeVar("Partial")
Result = TypeVar("Result")

#: How long a scheduler may take to answer, and a pass waits for a first worker.
CONNECT_TIMEOUT_SECONDS = 8.0
WORKERS_TIMEOUT_SECONDS = 60.0

#: A cell in whose passes so many workers have died is taken for the cause.
MAX_DEATHS = 3

#: How soon a worker notices that its driver has died.
LEASE_SECONDS = 1.0


class DaskEngine(Engine):
    """Runs passes on the workers of a Dask cluster.

    Workers read their own cells from files; rows that live in this process are sent to them
    once, and again where a worker that had them dies. The cell is the unit that is given to a
    worker, so files of few row groups keep few workers busy.

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
        self._layouts: WeakKeyDictionary[Dataset, _Layout] = WeakKeyDictionary()
        self._workers: dict[str, _Worker] = {}
        self._is_closed = self._scheduler_is_lost = False
        with ExitStack() as stack:
            target = client_or_address_or_cluster
            if target is None:
                target = stack.enter_context(local_cluster())
                self._memory = self._memory or memory_bytes(None) // len(target.workers)
            self._client: Any = stack.enter_context(_connection(target))
            self._address: str = self._client.scheduler.address
            self._stack = stack.pop_all()

    def fold(self, dataset: Dataset, statistic: Statistic[Partial, Result]) -> Result:
        count_rows = row_counter()
        merged = statistic.zero()
        with _Pass[Partial](self, dataset, "fold", statistic) as running:
            running.send(dataset.cells)
            while running.is_waiting:
                cells, other = running.answer()
                merged = statistic.merge(merged, other)
                count_rows(sum(cell.n_rows for cell in cells))
        return statistic.result(merged)

    def map_blocks(
        self, dataset: Dataset, function: Callable[[Block], Result]
    ) -> Iterator[tuple[Block, Result]]:
        count_rows = row_counter()
        unsent = deque(dataset.cells)
        answers: dict[int, list[tuple[Block, Result]]] = {}
        with _Pass[dict[int, list[tuple[Block, Result]]]](
            self, dataset, "map_blocks", function
        ) as running:
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
        self._everywhere(lambda worker: self.run(worker, _close, worker.name))
        self._await_leases()
        for worker in list(self._workers.values()):
            self.dismiss(worker)
        self._stack.close()

    def layout(self, dataset: Dataset) -> "_Layout":
        """Where the cells of `dataset` live."""
        return self._layouts.setdefault(dataset, _Layout())

    def workers(self) -> "Mapping[str, _Worker]":
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

    def dismiss(self, worker: "_Worker") -> None:
        """Count no longer on a worker, nor on anything it holds."""
        worker.lease.release()
        if self._workers.get(worker.address) is worker:
            del self._workers[worker.address]

    def await_removal(self, worker: "_Worker") -> None:
        """Give the scheduler a moment to notice, too, that a worker is lost."""
        patience = time.monotonic() + 2
        while worker.address in self._n_threads() and time.monotonic() < patience:
            time.sleep(0.05)

    def start(self, call: Coroutine[Any, Any, Answer]) -> Future[Answer]:
        """Run a coroutine beside this thread."""
        return asyncio.run_coroutine_threadsafe(call, self._client.loop.asyncio_loop)

    async def run(
        self, worker: "_Worker", function: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any
    ) -> Any:
        """What `function` returns on a worker.

        Raises
        ------
        _WorkerLostError
            The worker is gone, or what it held.
        ClusterUnreachableError
            The scheduler is gone.
        Exception
            What `function` raised there.
        """
        try:
            answers = await self._client.run(
                function,
                *arguments,
                workers=[worker.address],
                on_error="return",
                asynchronous=True,
            )
        except OSError as error:
            raise self._lose_scheduler() from error
        answer = answers[worker.address]
        if isinstance(answer, OSError):
            raise _WorkerLostError(worker.address) from answer
        if isinstance(answer, Exception):
            raise EngineError(
                f"The worker at {worker.address} cannot run Shoal: {answer!r}. Is the same "
                "version installed there?"
            ) from answer
        if isinstance(answer, _Raised):
            raise answer.error
        return answer

    async def prepare(self, worker: "_Worker", dataset: Dataset, cells: Sequence[Cell]) -> None:
        """Tell a worker what it may forget, and what it lacks to read these cells."""
        token = self.layout(dataset).token
        async with worker.preparing:
            if not worker.has_tenant:
                await self.run(worker, _open, worker.name, self._memory)
                worker.has_tenant = True
            in_use = {layout.token for layout in list(self._layouts.values())}
            await self._forget(worker, worker.sent.keys() - in_use)
            if token not in worker.sent:
                await self.run(worker, _call, worker.name, "receive", token, recipe(dataset))
            sent = worker.sent.setdefault(token, set())
            lacking = [cell for cell in cells if cell.index not in sent]
            for pieces in messages(dataset, lacking):
                await self.run(worker, _call, worker.name, "receive_rows", token, pieces)
            sent.update(cell.index for cell in lacking)

    async def _forget(self, worker: "_Worker", tokens: Set[str]) -> None:
        tokens = tokens & worker.sent.keys()
        if tokens:
            await self.run(worker, _call, worker.name, "forget", tokens)
        for token in tokens:
            del worker.sent[token]

    def _hire(self, address: str, n_threads: int) -> "_Worker":
        name = f"shoal-{uuid4().hex}"
        lease = self._client.submit(
            _stay, name, self._memory, key=name, workers=[address], pure=False
        )
        return _Worker(address, n_threads, name, lease)

    def _present(self) -> dict[str, int]:
        """Threads of each worker by address; waits until there is one."""
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
            return dict(self._client.nthreads())
        except (OSError, RuntimeError) as error:
            raise self._lose_scheduler() from error

    def _everywhere(self, call: "Callable[[_Worker], Coroutine[Any, Any, None]]") -> None:
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
            f"The Dask scheduler at {self._address} is gone, and what its "
            "workers held with it. Start a cluster again, and fit again with the same "
            "checkpoint to go on from there."
        )

    def __repr__(self) -> str:
        return f"<DaskEngine on {self._address}>"


@dataclass(eq=False, slots=True)
class _Worker:
    """The driver's record of one worker process.

    Parameters
    ----------
    address : str
    n_threads : int
    name : str
        Of its tenant and lease; a process that takes the place of another gets a new one.
    lease : distributed.Future
    sent : dict of set
        Cells that it can read, by token of the dataset.
    preparing : asyncio.Lock
        Held while something is sent, so that no call overtakes what it needs.
    """

    address: str
    n_threads: int
    name: str
    lease: "Task[None]"
    has_tenant: bool = False
    sent: dict[str, set[int]] = field(default_factory=dict)
    preparing: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(eq=False, slots=True)
class _Layout:
    """On which workers, by address, a dataset's cells live from pass to pass."""

    token: str = field(default_factory=lambda: uuid4().hex)
    homes: dict[int, str] = field(default_factory=dict)


class _WorkerLostError(Exception):
    """A worker did not answer."""


class _Pass(Generic[Answer]):
    """A pass under way: calls to workers, made again where one is lost.

    Parameters
    ----------
    engine : DaskEngine
    dataset : Dataset
    method : str
        Of `Tenant`.
    argument : object
        Its last one.
    """

    def __init__(self, engine: DaskEngine, dataset: Dataset, method: str, argument: Any) -> None:
        self._engine, self._dataset = engine, dataset
        self._name = uuid4().hex
        self._method, self._argument = method, _pickled(argument)
        self._calls: dict[Future[Answer], tuple[_Worker, list[Cell]]] = {}
        self._lost: list[Cell] = []
        self._deaths: Counter[Cell] = Counter()
        self._settle()

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._calls or self._lost)

    @property
    def n_ahead(self) -> int:
        """Cells that keep all threads busy while one is waited for."""
        return 2 * sum(worker.n_threads for worker in self._workers.values())

    def send(self, cells: Sequence[Cell]) -> None:
        """Call each worker where some of these cells live."""
        shares: dict[str, list[Cell]] = {}
        for cell in cells:
            shares.setdefault(self._homes[cell.index], []).append(cell)
        for address, share in shares.items():
            self._start(self._workers[address], share)

    def answer(self) -> tuple[list[Cell], Answer]:
        """The next answer, with the cells it is of.

        Raises
        ------
        WorkersLostError
            Workers keep dying on the same cells, or none is left.
        Exception
            What the call raised on the worker.
        """
        while True:
            call = next(iter(wait(self._calls, return_when=FIRST_COMPLETED).done))
            worker, cells = self._calls.pop(call)
            try:
                return cells, call.result()
            except _WorkerLostError as error:
                self._lose(worker, cells, error)
            finally:
                self._resume()

    def _start(self, worker: _Worker, cells: list[Cell]) -> None:
        self._calls[self._engine.start(self._call(worker, cells))] = (worker, cells)

    async def _call(self, worker: _Worker, cells: list[Cell]) -> Answer:
        await self._engine.prepare(worker, self._dataset, cells)
        token = self._engine.layout(self._dataset).token
        indices = [cell.index for cell in cells]
        where = (worker.name, self._method, self._name, token, indices)
        answer: Answer = await self._engine.run(worker, _work, *where, self._argument)
        return answer

    def _lose(self, worker: _Worker, cells: list[Cell], error: _WorkerLostError) -> None:
        """Give up a worker, but not the cells that it was called for."""
        self._deaths.update(cells)
        if deadly := [cell for cell in cells if self._deaths[cell] == MAX_DEATHS]:
            raise WorkersLostError(_deadly_message(deadly)) from error
        self._lost += cells
        if self._workers.get(worker.address) is worker:
            logger.warning("Lost the worker at %s; others read its cells again", worker.address)
            self._engine.dismiss(worker)
            self._engine.await_removal(worker)
            self._settle()

    def _resume(self) -> None:
        """Call workers that have nothing to do for one lost cell each.

        One at a time, so that a cell that kills workers is soon known from those around it.
        """
        busy = {worker.address for worker, _ in self._calls.values()}
        for cell in list(self._lost):
            home = self._homes[cell.index]
            if home not in busy:
                self._lost.remove(cell)
                self._start(self._workers[home], [cell])
                busy.add(home)

    def _settle(self) -> None:
        """Find out who is there, and which cells live where from now on."""
        self._workers = self._engine.workers()
        layout = self._engine.layout(self._dataset)
        n_threads = {address: worker.n_threads for address, worker in self._workers.items()}
        layout.homes = self._homes = balanced(self._dataset.cells, layout.homes, n_threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Cancel what is still under way, without waiting for it."""
        for worker in {worker for worker, _ in self._calls.values()}:
            self._engine.start(self._engine.run(worker, _call, worker.name, "cancel", self._name))


def balanced(
    cells: Sequence[Cell], homes: Mapping[int, str], n_threads: Mapping[str, int]
) -> dict[int, str]:
    """A worker for each cell: the one it lives on as long as rows a thread stay balanced.

    Parameters
    ----------
    cells : sequence of Cell
    homes : dict
        Workers' addresses up to now, by index of the cell; some may be gone.
    n_threads : dict
        Threads of the workers that are there, by address.

    Returns
    -------
    homes : dict
        Moving any one cell would not lower the load of the worker with the most rows a thread.
    """
    # Loads are whole numbers, so that what is moved to and fro adds up.
    unit = lcm(*n_threads.values())
    weight = {address: unit // n for address, n in sorted(n_threads.items())}
    held: dict[str, list[Cell]] = {address: [] for address in weight}
    load = dict.fromkeys(weight, 0)

    def lightest(cell: Cell) -> tuple[int, str]:
        return min((load[there] + cell.n_rows * weight[there], there) for there in held)

    def move(cell: Cell, address: str) -> None:
        held[address].append(cell)
        load[address] += cell.n_rows * weight[address]

    for cell in cells:
        if homes.get(cell.index) in held:
            move(cell, homes[cell.index])
    homeless = (cell for cell in cells if homes.get(cell.index) not in held)
    for cell in sorted(homeless, key=lambda cell: -cell.n_rows):
        move(cell, lightest(cell)[1])
    while True:
        fullest = max(held, key=load.__getitem__)
        cell = min(held[fullest], key=lambda cell: cell.n_rows)
        after, there = lightest(cell)
        if after >= load[fullest]:
            return {cell.index: address for address, cells in held.items() for cell in cells}
        held[fullest].remove(cell)
        load[fullest] -= cell.n_rows * weight[fullest]
        move(cell, there)


def _pickled(argument: Any) -> bytes:
    """The argument of a pass, classes and functions of a notebook included."""
    from distributed.protocol.pickle import dumps

    pickled: bytes = dumps(argument)
    return pickled


def _unpickled(argument: bytes) -> Any:
    from distributed.protocol.pickle import loads

    return loads(argument)


def _deadly_message(cells: Sequence[Cell]) -> str:
    files = list(dict.fromkeys(cell.file for cell in cells))
    named = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    return (
        f"{MAX_DEATHS} workers have died one after the other while they worked on {named} (rows "
        f"from {cells[0].first_row:,}). See their logs; where they ran out of memory, give "
        "DaskEngine a smaller memory budget or workers more of it."
    )


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
}

#: Asked for whenever a worker dies: one that takes longer to start again would be given up.
_DEPLOY_CONFIG = {"distributed.deploy.lost-worker-timeout": "5 minutes"}

_WORKER_CONFIG = {
    "distributed.worker.http.routes": [],
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


# What follows runs on workers.


@dataclass(frozen=True, slots=True)
class _Raised:
    """What a call raised, with the traceback told in a note: frames do not travel."""

    error: Exception


_tenants: dict[str, Tenant] = {}
_opening = Lock()


async def _open(name: str, memory: int | None, dask_worker: "Worker") -> None:
    """Make the tenant of that name, unless its lease has."""
    _tenant(name, memory, dask_worker)


async def _call(name: str, method: str, *arguments: Any) -> Any:
    """What a method of a tenant returns; the worker's event loop goes on meanwhile."""
    return await asyncio.to_thread(_answer, name, method, lambda: arguments)


async def _work(name: str, method: str, *arguments: Any) -> Any:
    """What a method of a tenant returns whose last argument is pickled."""
    return await asyncio.to_thread(
        _answer, name, method, lambda: (*arguments[:-1], _unpickled(arguments[-1]))
    )


async def _close(name: str) -> None:
    """Close a tenant, if it is there."""
    if (tenant := _tenants.pop(name, None)) is not None:
        await asyncio.to_thread(tenant.close)


def _answer(name: str, method: str, arguments: Callable[[], tuple[Any, ...]]) -> Any:
    try:
        if name not in _tenants:
            raise _WorkerLostError("Another process has taken its place.")
        return getattr(_tenants[name], method)(*arguments())
    except Exception as error:  # noqa: BLE001 - raised again in the driver
        error.add_note(f"On a worker:\n{traceback.format_exc()}")
        return _Raised(error)


def _tenant(name: str, memory: int | None, worker: "Worker") -> Tenant:
    """The tenant of that name, made if there is none."""
    with _opening:
        if name not in _tenants:
            memory = _worker_memory_bytes(worker) if memory is None else memory
            directory = Path(worker.local_directory)
            _tenants[name] = Tenant(memory, worker.state.nthreads, directory)
        return _tenants[name]


def _worker_memory_bytes(worker: "Worker") -> int:
    """Half of what Dask lets a worker use, or of what is available if that is less."""
    available = available_memory_bytes()
    return min(worker.memory_manager.memory_limit or available, available) // 2


def _stay(name: str, memory: int | None) -> None:
    """Keep a tenant until the driver lets go of this task, or is gone itself."""
    from distributed import get_worker, secede

    worker = get_worker()
    secede()
    tenant = _tenant(name, memory, worker)
    while _is_wanted(name, worker) and not tenant.closed.wait(LEASE_SECONDS):
        pass
    _tenants.pop(name, None)
    tenant.close()


def _is_wanted(task: str, worker: "Worker") -> bool:
    from distributed.core import Status

    state = worker.state.tasks.get(task)
    is_leaving = worker.status in {Status.closing, Status.closed, Status.failed}
    return state is not None and state.state != "cancelled" and not is_leaving
