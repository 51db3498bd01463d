"""Passes on the threads of this process."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, reduce
from threading import RLock, Thread
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from threadpoolctl import ThreadpoolController

from shoal.callbacks import row_counter
from shoal.data import plan as planning
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.store import BlockStore, Scan
from shoal.engines.engine import Engine
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
        with self._folding, self._store(dataset, statistic.beside_row_bytes).scan() as scan:
            try:
                partial = fold_blocks(scan, statistic, self._n_threads)
            except DiskFullError:
                self.release(dataset)
                raise
        return statistic.result(partial)

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


def fold_blocks(scan: Scan, statistic: Statistic[Partial, Any], n_threads: int) -> Partial:
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
    fold = _Fold(scan, statistic)
    threads = [Thread(target=fold.work, name="shoal-fold") for _ in range(n_threads - 1)]
    # The engine's threads are the parallelism there is.
    with _blas().limit(limits=1, user_api="blas"):
        try:
            for thread in threads:
                thread.start()
            fold.work()
        finally:
            # Nothing is left to hand out, unless an interrupt came between the lines above.
            scan.cancel()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
    return fold.merged()


class _Fold(Generic[Partial]):
    """A fold under way: a partial of each thread, and the errors."""

    def __init__(self, scan: Scan, statistic: Statistic[Partial, Any]) -> None:
        self._scan = scan
        self._statistic = statistic
        self._count_rows = row_counter()
        self._partials: list[Partial] = []
        self._errors: list[BaseException] = []

    def work(self) -> None:
        """Fold blocks until there are no more, into a partial of this thread."""
        try:
            partial, is_done = self._statistic.zero(), False
            while not is_done:
                partial, is_done = self._step(partial)
            self._partials.append(partial)
        except BaseException as error:  # noqa: BLE001 - raised again by merged
            self._errors.append(error)
            self._scan.cancel()

    def merged(self) -> Partial:
        """What all threads have folded; raises the first error, if there is one."""
        if self._errors:
            error = self._errors[0]
            # An error holds its frames, and they this object and with it the errors.
            self._errors = []
            raise error
        return reduce(self._statistic.merge, self._partials)

    def _step(self, partial: Partial) -> tuple[Partial, bool]:
        """`partial` with one more block, which no variable holds when this returns."""
        block = self._scan.take()
        if block is None:
            return partial, True
        partial = self._statistic.update(partial, block)
        self._count_rows(block.n_rows)
        return partial, False


def _map_in_order(
    scan: Scan, function: Callable[[Block], Result], n_threads: int
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


@cache
def _blas() -> ThreadpoolController:
    """The BLAS libraries of this process; finding them takes milliseconds."""
    return ThreadpoolController()
