"""Passes on the threads of this process."""

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from functools import lru_cache, reduce
from operator import or_
from threading import RLock, Thread
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from threadpoolctl import ThreadpoolController

from shoal.callbacks import row_counter
from shoal.data import plan as planning
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.scan import Scan
from shoal.data.source import Cell
from shoal.data.store import BlockStore
from shoal.engines.engine import Engine, check_windows
from shoal.engines.statistic import Statistic
from shoal.exceptions import DiskFullError

Partial = TypeVar("Partial")
Result = TypeVar("Result")


class LocalEngine(Engine):
    """Runs passes on the threads of this process, within a budget of memory.

    Decoded blocks of a dataset are kept from one pass to the next: in memory while they fit,
    else in a private file (`shoal.data.cache`), until the dataset is garbage collected or
    released, or the engine is closed. Threads live as long as a pass.

    Parameters
    ----------
    n_threads : int, default=None
        Threads that work on blocks, the calling one included. None: as many cores as this
        process may use.
    memory : int or str, default=None
        Bytes of resident memory that a dataset's passes may take, or a text such as ``"2GB"``.
        None: half of what is available now. Python and the libraries come on top (about 150 MB),
        and data that are in memory anyway are not counted.

    Raises
    ------
    ParameterError
        An argument makes no sense.

    Examples
    --------
    >>> from shoal.engines.local import LocalEngine
    >>> with LocalEngine(n_threads=2, memory="1GB") as engine:
    ...     engine.n_threads, engine.memory_bytes
    (2, 1000000000)
    """

    def __init__(self, n_threads: int | None = None, memory: int | str | None = None) -> None:
        super().__init__()
        self._n_threads = planning.threads(n_threads)
        self._memory_bytes = planning.memory_bytes(memory)
        self._stores: WeakKeyDictionary[Dataset, BlockStore] = WeakKeyDictionary()
        # One fold at a time: a block, and what stands beside it, belongs to one thread at a time.
        self._folding = RLock()

    @property
    def n_threads(self) -> int:
        return self._n_threads

    @property
    def memory_bytes(self) -> int:
        return self._memory_bytes

    def fold(self, dataset: Dataset, statistic: Statistic[Partial, Result]) -> Result:
        check_windows(dataset, statistic)
        with self._folding, self._store(dataset, statistic.beside_row_bytes).scan() as scan:
            try:
                partial = fold_blocks(scan, statistic, self._n_threads)
            except DiskFullError:
                self.release(dataset)
                raise
        return statistic.result(partial)

    def map_cells(
        self, dataset: Dataset, function: Callable[[Cell, Iterator[Block]], Result]
    ) -> list[Result]:
        with self._folding, self._store(dataset).scan_cells() as scan:
            try:
                results = map_cells(scan, function, self._n_threads)
            except DiskFullError:
                self.release(dataset)
                raise
        return [results[cell.index] for cell in dataset.cells]

    def map_blocks(
        self, dataset: Dataset, function: Callable[[Block], Result]
    ) -> Iterator[tuple[Block, Result]]:
        count_rows = row_counter()
        with self._store(dataset).scan(ordered=True) as scan:
            for block, result in _map_in_order(scan, function, self._n_threads):
                yield block, result
                count_rows(block.n_rows)

    def release(self, dataset: Dataset) -> None:
        store = self._stores.pop(dataset, None)
        if store is not None:
            store.close()

    def close(self) -> None:
        for dataset in list(self._stores):
            self.release(dataset)

    def _store(self, dataset: Dataset, beside_row_bytes: int = 0) -> BlockStore:
        """The store of a dataset, with room for what a statistic keeps beside blocks."""
        store = self._stores.get(dataset)
        if store is None or store.plan.beside_row_bytes < beside_row_bytes:
            plan = planning.plan(dataset, self._memory_bytes, self._n_threads, beside_row_bytes)
            if store is None:
                store = self._stores[dataset] = BlockStore(dataset, plan)
            else:
                store.adopt(plan)
        return store

    def __repr__(self) -> str:
        memory = planning.format_bytes(self._memory_bytes)
        return f"<LocalEngine of {self._n_threads} threads and {memory}>"


def fold_blocks(scan: Scan[Block], statistic: Statistic[Partial, Any], n_threads: int) -> Partial:
    """Fold `statistic` over the blocks of `scan`, on this thread and ``n_threads - 1`` more.

    Parameters
    ----------
    scan : Scan
        Cancelled when an error ends the fold.
    statistic : Statistic
    n_threads : int

    Returns
    -------
    partial
        Of all blocks that the scan has handed out.

    Raises
    ------
    BaseException
        The first one raised in any of the threads, with its traceback.
    """
    count_rows = row_counter()

    def step(partial: Partial) -> tuple[Partial, bool]:
        """`partial` with one more block, which no variable holds when this returns."""
        block = scan.take()
        if block is None:
            return partial, True
        partial = statistic.update(partial, block)
        count_rows(block.n_rows)
        return partial, False

    def work() -> Partial:
        partial, is_done = statistic.zero(), False
        while not is_done:
            partial, is_done = step(partial)
        return partial

    return reduce(statistic.merge, _Team(work, scan).run(n_threads))


def map_cells(
    scan: Scan[tuple[Cell, Generator[Block]]],
    function: Callable[[Cell, Iterator[Block]], Result],
    n_threads: int,
) -> dict[int, Result]:
    """`function` of each cell of `scan` and its blocks, by index of the cell.

    Threads and errors are as of `fold_blocks`.
    """
    count_rows = row_counter()

    def work() -> dict[int, Result]:
        results: dict[int, Result] = {}
        for cell, blocks in iter(scan.take, None):
            with closing(blocks):
                results[cell.index] = function(cell, blocks)
            count_rows(cell.n_rows)
        return results

    return reduce(or_, _Team(work, scan).run(n_threads))


class _Team(Generic[Result]):
    """Threads that do the same work on a scan: what each has done, and the errors."""

    def __init__(self, work: Callable[[], Result], scan: Scan[Any]) -> None:
        self._work = work
        self._scan = scan
        self._done: list[Result] = []
        self._errors: list[BaseException] = []

    def run(self, n_threads: int) -> list[Result]:
        """What the work gives on this thread and on others; raises the first error."""
        threads = [Thread(target=self._help, name="shoal-fold") for _ in range(n_threads - 1)]
        with one_blas_thread():
            try:
                for thread in threads:
                    thread.start()
                self._do()
                for thread in threads:
                    thread.join()
            except BaseException:
                # An interrupt, anywhere in the lines above.
                self._scan.cancel()
                raise
            finally:
                for thread in threads:
                    if thread.ident is not None:
                        thread.join()
        if self._errors:
            error = self._errors[0]
            # An error holds its frames, and they this object and with it the errors.
            self._errors = []
            raise error
        return self._done

    def _help(self) -> None:
        # BLAS on OpenMP has a number of threads for each thread that calls it.
        with one_blas_thread() if _has_openmp_blas() else nullcontext():
            self._do()

    def _do(self) -> None:
        try:
            self._done.append(self._work())
        except BaseException as error:  # noqa: BLE001 - raised again by run
            self._errors.append(error)
            self._scan.cancel()


def _map_in_order(
    scan: Scan[Block], function: Callable[[Block], Result], n_threads: int
) -> Iterator[tuple[Block, Result]]:
    """Each block of an ordered scan with `function` of it, a few at a time on other threads."""
    waiting: deque[tuple[Block, Future[Result]]] = deque()
    with ThreadPoolExecutor(n_threads, "shoal-map") as pool:
        try:
            for block in iter(scan.take, None):
                waiting.append((block, pool.submit(function, block)))
                if len(waiting) > n_threads:
                    yield _finished(waiting)
            while waiting:
                yield _finished(waiting)
        finally:
            pool.shutdown(cancel_futures=True)


def _finished(
    waiting: deque[tuple[Block, Future[Result]]],
) -> tuple[Block, Result]:
    block, future = waiting.popleft()
    return block, future.result()


def one_blas_thread() -> AbstractContextManager[object]:
    """The engine's threads are the parallelism there is."""
    found: AbstractContextManager[object] = _blas(len(sys.modules)).limit(limits=1, user_api="blas")
    return found


def _has_openmp_blas() -> bool:
    libraries = _blas(len(sys.modules)).lib_controllers
    return any(getattr(library, "threading_layer", None) == "openmp" for library in libraries)


@lru_cache(maxsize=1)
def _blas(n_modules: int) -> ThreadpoolController:
    """The BLAS libraries of this process: finding them takes milliseconds, modules bring more."""
    return ThreadpoolController()
