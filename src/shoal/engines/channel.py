"""Calls from a driver to what it keeps on workers, beside Dask's tasks.

Each worker answers calls for its tenants on connections that the driver opens to it and keeps, by
a thread for each (`shoal.engines.line`): arrays travel from where they lie to where they stay, and
what one worker is sent does not wait for another. Where the driver cannot reach a worker, the
scheduler passes calls on.

Beside each tenant lives a *lease*, a Dask task that waits: while it does, the scheduler counts the
worker as busy; when it is cancelled, or the driver is gone, the tenant goes too.
"""

import asyncio
import logging
import pickle
import traceback
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from pickle import PickleBuffer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from shoal.data.plan import available_memory_bytes
from shoal.engines.line import Line, Lines
from shoal.engines.tenant import Tenant, tenants
from shoal.exceptions import EngineError

if TYPE_CHECKING:
    from distributed import Client, Worker

logger = logging.getLogger("shoal")

#: How long the driver tries to reach a worker before it lets the scheduler pass calls on.
REACH_SECONDS = 5.0

#: How soon a worker notices that its driver has died.
LEASE_SECONDS = 1.0

_OPERATION = "shoal"


@dataclass(eq=False, slots=True)
class WorkerRecord:
    """The driver's record of one worker process.

    Parameters
    ----------
    address : str
    n_threads : int
    name : str
        Of its tenant and lease; a process that takes the place of another gets a new one.
    lease : distributed.Future
        The task that keeps its tenant.
    has_tenant, is_reachable : bool
        Whether its tenant is there, and can be called without help of the scheduler.
    sent : dict of set
        What it has been sent: tokens of datasets, and names of rows with the indices of cells.
    preparing : threading.Lock
        Held while something is sent, so that no call overtakes what it needs.
    lines : Lines
        The connections to it.
    """

    address: str
    n_threads: int
    name: str
    lease: Any
    has_tenant: bool = False
    is_reachable: bool = False
    sent: dict[str, set[int]] = field(default_factory=dict)
    preparing: Lock = field(default_factory=Lock)
    lines: Lines = field(default_factory=Lines)


class WorkerLostError(Exception):
    """A worker did not answer."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something pickled; the memory of its arrays stands beside, to be sent without a copy."""

    pickled: bytes
    buffers: list[Any]

    @classmethod
    def of(cls, content: Any) -> "Parcel":
        """`content` pickled, classes and functions of a notebook included.

        Raises
        ------
        EngineError
            It holds what cannot be pickled.
        """
        from distributed.protocol.pickle import dumps

        buffers: list[PickleBuffer] = []
        try:
            return cls(dumps(content, buffer_callback=buffers.append), buffers)
        except Exception as error:
            raise EngineError(
                f"What travels between a driver and its workers is pickled, but: {error}. Let "
                "functions make locks, connections and open files where they are called, and give "
                "back arrays or numbers."
            ) from error

    @classmethod
    def received(cls, message: Sequence[memoryview]) -> "Parcel":
        """One that has come by a `Line`."""
        pickled, *buffers = message
        return cls(bytes(pickled), buffers)

    @property
    def message(self) -> list[Any]:
        """What a `Line` sends of it."""
        return [self.pickled, *self.buffers]

    @property
    def content(self) -> Any:
        from distributed.protocol.pickle import loads

        return loads(self.pickled, buffers=self.buffers)


@dataclass(frozen=True, slots=True)
class Raised:
    """What a call raised, with the traceback told in a note: frames do not travel."""

    error: Exception

    @classmethod
    def parcel(cls, error: BaseException) -> Parcel:
        """An error on its way; of one that cannot be raised there, what it says."""
        if isinstance(error, Exception) and _survives(error):
            return Parcel.of(cls(error))
        told = EngineError(f"{type(error).__qualname__} on a worker: {error}")
        told.__notes__ = error.__notes__
        return Parcel.of(cls(told))


def _survives(error: Exception) -> bool:
    """Whether pickle can make an error again."""
    try:
        _ = Parcel.of(error).content
    except Exception:  # noqa: BLE001 - whatever its class does when it is made
        return False
    return True


class Channel:
    """Calls to the tenants of all workers, each of which its thread waits for.

    Parameters
    ----------
    client : distributed.Client
        A connection of our own to the scheduler.
    """

    def __init__(self, client: "Client") -> None:
        self._client: Any = client

    def open(self, worker: WorkerRecord, memory_bytes: int | None) -> None:
        """Make a worker's tenant, unless its lease has, and find the way there."""
        self._relayed(worker, _open, worker.name, memory_bytes)
        try:
            self._direct(worker, "greet", Parcel.of(()))
            worker.is_reachable = True
        except OSError:
            logger.info("The scheduler passes on all calls to the worker at %s", worker.address)

    def call(self, worker: WorkerRecord, method: str, arguments: Parcel, *where: Any) -> Any:
        """What a method of a worker's tenant returns, or raises.

        Parameters
        ----------
        worker : WorkerRecord
        method : str
        arguments : Parcel
            A tuple: its last ones. They can be pickled once for many workers.
        *where : str or list of int
            Its first ones.

        Raises
        ------
        WorkerLostError
            Nobody answers.
        Exception
            What the method has raised.
        """
        way = self._direct if worker.is_reachable else self._passed_on
        try:
            answer = way(worker, method, arguments, *where)
        except OSError as error:
            raise WorkerLostError(worker.address) from error
        content = answer.content
        if isinstance(content, Raised):
            raise content.error
        return content

    def close(self, worker: WorkerRecord) -> None:
        """Close a worker's tenant, if it is there."""
        self._relayed(worker, _close, worker.name)

    def forget(self, worker: WorkerRecord) -> None:
        """Let go of the connections to a worker that is lost, and of calls that wait there."""
        worker.lines.end()

    def _direct(self, worker: WorkerRecord, method: str, arguments: Parcel, *where: Any) -> Parcel:
        request = [pickle.dumps((worker.name, method, where)), *arguments.message]
        with worker.lines.one(partial(self._dialled, worker)) as line:
            line.send(request)
            return Parcel.received(line.receive())

    def _dialled(self, worker: WorkerRecord) -> Line:
        """A new connection to a worker, which is ready to be called."""
        connection_args = self._client.connection_args
        try:
            line: Line = self._client.sync(
                _dial, worker.address, connection_args, callback_timeout=2 * REACH_SECONDS
            )
        except RuntimeError as error:
            raise ConnectionError("The engine is closed, and its event loop too.") from error
        try:
            line.await_greeting(REACH_SECONDS)
        except BaseException:
            line.close()
            raise
        return line

    def _passed_on(
        self, worker: WorkerRecord, method: str, arguments: Parcel, *where: Any
    ) -> Parcel:
        answer: Parcel = self._relayed(worker, _answer, worker.name, method, where, arguments)
        return answer

    def _relayed(
        self, worker: WorkerRecord, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any
    ) -> Any:
        """What `function` returns on a worker, called through the scheduler."""
        try:
            found = self._client.run(function, *args, workers=[worker.address], on_error="return")
        except Exception as error:
            # Whatever a connection that is closed meanwhile ends in.
            if self._client.status == "running" and not isinstance(error, OSError):
                raise
            raise WorkerLostError(worker.address) from error
        answer = found[worker.address]
        if isinstance(answer, OSError):
            raise WorkerLostError(worker.address) from answer
        if isinstance(answer, Exception):
            raise EngineError(
                f"The worker at {worker.address} cannot run Shoal: {answer!r}. Is the same "
                "version installed there?"
            ) from answer
        return answer


async def _dial(address: str, connection_args: dict[str, Any]) -> Line:
    """A connection to a worker, which both ends take from Dask."""
    from distributed.comm.tcp import TCP
    from distributed.core import connect

    comm = await connect(address, timeout=REACH_SECONDS, **connection_args)
    try:
        if not isinstance(comm, TCP):
            raise ConnectionError(f"There is no socket between this process and {address}.")
        await comm.write({"op": _OPERATION})
        if comm.stream.closed() or comm.stream.writing():
            raise ConnectionError(f"{address} does not take what it is sent.")
        return Line.taken_from(comm)
    except BaseException:
        comm.abort()
        raise


# What follows runs on workers.


_opening = Lock()


async def _open(name: str, memory_bytes: int | None, dask_worker: "Worker") -> None:
    """Make the tenant of that name, unless its lease has, and answer calls from now on."""
    _tenant(name, memory_bytes, dask_worker)
    # As Dask's own plugins do. Where it does not look there, nobody answers `greet`.
    dask_worker.handlers[_OPERATION] = _converse


async def _close(name: str) -> None:
    """Close the tenant of that name, if it is there."""
    if (tenant := tenants.pop(name, None)) is not None:
        await asyncio.to_thread(tenant.close)


async def _converse(comm: Any) -> None:
    """Take a connection from Dask's event loop; a thread answers the calls that come by it."""
    line = Line.taken_from(comm)
    Thread(target=_serve, args=(line,), name="shoal-line", daemon=True).start()


def _serve(line: Line) -> None:
    with closing(line), suppress(OSError):
        line.greet()
        while True:
            _serve_one(line)


def _serve_one(line: Line) -> None:
    """Answer the next call; nothing of it is kept when this returns."""
    where, *arguments = line.receive()
    name, method, first = pickle.loads(where)
    line.send(_called(name, method, first, Parcel.received(arguments)).message)


async def _answer(name: str, method: str, where: tuple[Any, ...], arguments: Parcel) -> Parcel:
    """What a method of a tenant returns, or `Raised`; the event loop goes on meanwhile."""
    return await asyncio.to_thread(_called, name, method, where, arguments)


def _called(name: str, method: str, where: tuple[Any, ...], arguments: Parcel) -> Parcel:
    try:
        if name not in tenants:
            raise WorkerLostError("Another process has taken its place.")
        return Parcel.of(getattr(tenants[name], method)(*where, *arguments.content))
    except BaseException as error:  # noqa: BLE001 - raised again in the driver
        # An exit too, which would end this worker, and then the next one that is called.
        error.add_note(f"On a worker:\n{traceback.format_exc()}")
        return Raised.parcel(error)


def _tenant(name: str, memory_bytes: int | None, worker: "Worker") -> Tenant:
    """The tenant of that name, made if there is none."""
    with _opening:
        if name not in tenants:
            memory_bytes = memory_bytes or _worker_memory_bytes(worker)
            directory = Path(worker.local_directory)
            tenants[name] = Tenant(memory_bytes, worker.state.nthreads, directory)
        return tenants[name]


def _worker_memory_bytes(worker: "Worker") -> int:
    """Half of what Dask lets a worker use, or of what is available if that is less."""
    available = available_memory_bytes()
    return min(worker.memory_manager.memory_limit or available, available) // 2


def stay(name: str, memory_bytes: int | None) -> None:
    """Keep a tenant until the driver lets go of this task, or is gone itself."""
    from distributed import get_worker, secede

    worker = get_worker()
    secede()
    tenant = _tenant(name, memory_bytes, worker)
    while _is_wanted(name, worker) and not tenant.closed.wait(LEASE_SECONDS):
        pass
    tenants.pop(name, None)
    tenant.close()


def _is_wanted(task: str, worker: "Worker") -> bool:
    from distributed.core import Status

    state = worker.state.tasks.get(task)
    is_leaving = worker.status in {Status.closing, Status.closed, Status.failed}
    return state is not None and state.state != "cancelled" and not is_leaving
