"""A pass over the workers of a cluster: which of them has which cells, and what if one dies."""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from math import lcm
from typing import Any, Generic, Protocol, Self, TypeVar
from uuid import uuid4

from shoal.data.dataset import Dataset
from shoal.data.source import Cell
from shoal.engines.sent_rows import DriverRows
from shoal.exceptions import WorkersLostError

logger = logging.getLogger("shoal")

Answer = TypeVar("Answer")

#: How soon an interrupt is noticed, at the latest.
INTERRUPT_SECONDS = 0.5

#: A cell in whose passes so many workers have died is taken for the cause.
MAX_DEATHS = 3


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
    preparing : asyncio.Lock
        Held while something is sent, so that no call overtakes what it needs.
    """

    address: str
    n_threads: int
    name: str
    lease: Any
    has_tenant: bool = False
    is_reachable: bool = False
    sent: dict[str, set[int]] = field(default_factory=dict)
    preparing: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(eq=False, slots=True)
class Layout:
    """On which workers a dataset's cells live from pass to pass, and what these are sent for it.

    Parameters
    ----------
    root_homes : dict
        Address of the worker by index of the cell of the dataset's root source. All datasets
        that come from it share this, and so the rows that workers hold.
    rows : dict of DriverRows
        What lives in the driver, by role.
    token : str
        Of the dataset.
    homes : dict
        Address of the worker by index of the dataset's cell.
    """

    root_homes: dict[int, str]
    rows: Mapping[str, DriverRows]
    token: str = field(default_factory=lambda: uuid4().hex)
    homes: dict[int, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """What workers hold for the dataset is called so."""
        return {self.token, *(rows.name for rows in self.rows.values())}

    def settle(self, dataset: Dataset, n_threads: Mapping[str, int]) -> dict[int, str]:
        """The homes of all cells, on workers with so many threads."""
        roots = {cell.index: dataset.source.root_cells(cell) for cell in dataset.cells}
        known = {
            index: self.root_homes[cells[0].index]
            for index, cells in roots.items()
            if cells[0].index in self.root_homes
        }
        self.homes = balanced(dataset.cells, known | self.homes, n_threads)
        for index, cells in roots.items():
            self.root_homes.update({cell.index: self.homes[index] for cell in cells})
        return self.homes


class WorkerLostError(Exception):
    """A worker did not answer."""


class Cluster(Protocol):
    """What a pass asks of the engine that runs it."""

    def workers(self) -> Mapping[str, WorkerRecord]: ...

    def layout(self, dataset: Dataset) -> Layout: ...

    def dismiss(self, worker: WorkerRecord) -> None: ...

    def await_removal(self, worker: WorkerRecord) -> None: ...

    def is_present(self, worker: WorkerRecord) -> bool: ...

    def pickled(self, argument: Any) -> Any: ...

    def start(self, call: Coroutine[Any, Any, Answer]) -> Future[Answer]: ...

    async def prepare(
        self, worker: WorkerRecord, dataset: Dataset, cells: Sequence[Cell]
    ) -> None: ...

    async def work(self, worker: WorkerRecord, method: str, argument: Any, *where: Any) -> Any: ...

    async def cancel(self, worker: WorkerRecord, running: str) -> None: ...


class ClusterPass(Generic[Answer]):
    """A pass under way: calls to workers, made again where one is lost.

    Parameters
    ----------
    engine : Cluster
    dataset : Dataset
    method : str
        Of `Tenant`.
    argument : object
        Its last one.
    """

    def __init__(self, engine: Cluster, dataset: Dataset, method: str, argument: Any) -> None:
        self._engine, self._dataset = engine, dataset
        self._name = uuid4().hex
        self._method, self._argument = method, engine.pickled(argument)
        self._calls: dict[Future[Answer], tuple[WorkerRecord, list[Cell]]] = {}
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
            call = self._finished()
            worker, cells = self._calls.pop(call)
            try:
                if not call.done():
                    raise WorkerLostError(worker.address)
                return cells, call.result()
            except WorkerLostError as error:
                self._lose(worker, cells, error)
            finally:
                self._resume()

    def _finished(self) -> Future[Answer]:
        """The next call that ends, or one that will not: the scheduler has given up its worker."""
        while True:
            # An interrupt that comes just before a wait begins is not noticed within it.
            done = wait(self._calls, INTERRUPT_SECONDS, FIRST_COMPLETED).done
            if done:
                return next(iter(done))
            for call, (worker, _) in self._calls.items():
                if not self._engine.is_present(worker):
                    return call

    def _start(self, worker: WorkerRecord, cells: list[Cell]) -> None:
        self._calls[self._engine.start(self._call(worker, cells))] = (worker, cells)

    async def _call(self, worker: WorkerRecord, cells: list[Cell]) -> Answer:
        await self._engine.prepare(worker, self._dataset, cells)
        token = self._engine.layout(self._dataset).token
        indices = [cell.index for cell in cells]
        where = (self._name, token, indices)
        answer: Answer = await self._engine.work(worker, self._method, self._argument, *where)
        return answer

    def _lose(self, worker: WorkerRecord, cells: list[Cell], error: WorkerLostError) -> None:
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
        self._homes = layout.settle(self._dataset, n_threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Cancel what is still under way, without waiting for it."""
        for worker in {worker for worker, _ in self._calls.values()}:
            self._engine.start(self._engine.cancel(worker, self._name))


def balanced(
    cells: Sequence[Cell], homes: Mapping[int, str], n_threads: Mapping[str, int]
) -> dict[int, str]:
    """A worker for each cell: the one it lives on as long as rows a thread stay balanced.

    Cells that live nowhere yet go to the worker of the cell before them, up to an equal share:
    groups of cells that follow each other then find their rows in one place.

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
    loads = _Loads(n_threads)
    living = {index: home for index, home in homes.items() if home in n_threads}
    for cell in cells:
        if cell.index in living:
            loads.put(cell, living[cell.index])
    share = loads.unit * sum(cell.n_rows for cell in cells) / sum(n_threads.values())
    before = min(n_threads)
    for cell in cells:
        if cell.index in living:
            before = living[cell.index]
            continue
        middle = loads.load[before] + cell.n_rows * loads.weight[before] / 2
        before = before if middle <= share else loads.lightest_with(cell)[1]
        loads.put(cell, before)
    while True:
        fullest = loads.fullest()
        cell = min(loads.held[fullest], key=lambda cell: cell.n_rows)
        after, there = loads.lightest_with(cell)
        if after >= loads.load[fullest]:
            return {cell.index: home for home, cells in loads.held.items() for cell in cells}
        loads.take(cell, fullest)
        loads.put(cell, there)


class _Loads:
    """Cells of each worker and its rows a thread, as whole numbers: what is moved adds up.

    Parameters
    ----------
    n_threads : dict
        By address.
    """

    def __init__(self, n_threads: Mapping[str, int]) -> None:
        self.unit = lcm(*n_threads.values())
        self.weight = {address: self.unit // n for address, n in sorted(n_threads.items())}
        self.held: dict[str, list[Cell]] = {address: [] for address in self.weight}
        self.load = dict.fromkeys(self.weight, 0)

    def put(self, cell: Cell, address: str) -> None:
        self.held[address].append(cell)
        self.load[address] += cell.n_rows * self.weight[address]

    def take(self, cell: Cell, address: str) -> None:
        self.held[address].remove(cell)
        self.load[address] -= cell.n_rows * self.weight[address]

    def fullest(self) -> str:
        return max(self.load, key=self.load.__getitem__)

    def lightest_with(self, cell: Cell) -> tuple[int, str]:
        """The least load that a worker has with one more cell, and which."""
        return min((self.load[a] + cell.n_rows * self.weight[a], a) for a in self.held)


def _deadly_message(cells: Sequence[Cell]) -> str:
    files = list(dict.fromkeys(cell.file for cell in cells))
    named = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    return (
        f"{MAX_DEATHS} workers have died one after the other while they worked on {named} (rows "
        f"from {cells[0].first_row:,}). See their logs; where they ran out of memory, give "
        "DaskEngine a smaller memory budget or workers more of it."
    )
