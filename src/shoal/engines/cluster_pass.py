"""A pass over the workers of a cluster: calls to them, made again where one is lost."""

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Generic, Self, TypeVar
from uuid import uuid4

from shoal.data.dataset import Dataset
from shoal.data.source import Cell
from shoal.engines.channel import Parcel, WorkerLostError, WorkerRecord
from shoal.engines.cluster import Cluster
from shoal.engines.holdings import Holdings
from shoal.exceptions import WorkersLostError

logger = logging.getLogger("shoal")

Answer = TypeVar("Answer")

#: How soon an interrupt is noticed, at the latest.
INTERRUPT_SECONDS = 0.5

#: A cell in whose passes so many workers have died is taken for the cause.
MAX_DEATHS = 3


class ClusterPass(Generic[Answer]):
    """A pass under way.

    Parameters
    ----------
    cluster : Cluster
    holdings : Holdings
    dataset : Dataset
    method : str
        Of `Tenant`.
    argument : object
        Its last one.
    """

    def __init__(
        self, cluster: Cluster, holdings: Holdings, dataset: Dataset, method: str, argument: Any
    ) -> None:
        self._cluster, self._holdings, self._dataset = cluster, holdings, dataset
        self._name = uuid4().hex
        # Pickled once for all workers.
        self._method, self._argument = method, Parcel.of((argument,))
        self._calls: dict[Future[Answer], tuple[WorkerRecord, list[Cell]]] = {}
        self._lost: list[Cell] = []
        self._deaths: Counter[Cell] = Counter()
        self._layout = holdings.layout(dataset)
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
                if not self._cluster.is_present(worker):
                    return call

    def _start(self, worker: WorkerRecord, cells: list[Cell]) -> None:
        self._calls[self._cluster.start(self._call, worker, cells)] = (worker, cells)

    def _call(self, worker: WorkerRecord, cells: list[Cell]) -> Answer:
        layout = self._layout
        self._holdings.prepare(worker, self._dataset, layout, cells)
        where = (self._name, layout.token, [cell.index for cell in cells])
        answer: Answer = self._cluster.call(worker, self._method, self._argument, *where)
        return answer

    def _lose(self, worker: WorkerRecord, cells: list[Cell], error: WorkerLostError) -> None:
        """Give up a worker, but not the cells that it was called for."""
        self._deaths.update(cells)
        if deadly := [cell for cell in cells if self._deaths[cell] == MAX_DEATHS]:
            raise WorkersLostError(_deadly_message(deadly)) from error
        self._lost += cells
        if self._workers.get(worker.address) is worker:
            logger.warning("Lost the worker at %s; others read its cells again", worker.address)
            self._cluster.lose(worker)
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
        self._workers = self._cluster.workers()
        n_threads = {address: worker.n_threads for address, worker in self._workers.items()}
        self._homes = self._layout.settle(self._dataset, n_threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Cancel what is still under way, without waiting for it."""
        name = Parcel.of((self._name,))
        for worker in {worker for worker, _ in self._calls.values()}:
            self._cluster.start(self._cluster.call, worker, "cancel", name)


def _deadly_message(cells: Sequence[Cell]) -> str:
    files = list(dict.fromkeys(cell.file for cell in cells))
    named = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    return (
        f"{MAX_DEATHS} workers have died one after the other while they worked on {named} (rows "
        f"from {cells[0].first_row:,}). See their logs; where they ran out of memory, give "
        "DaskEngine a smaller memory budget or workers more of it."
    )
