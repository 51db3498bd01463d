"""What one worker of a cluster keeps of datasets, and computes for a driver elsewhere."""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock
from typing import Any, TypeVar

import numpy as np

from shoal._typing import Rows
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.derived_source import DerivedSource
from shoal.data.plan import Plan, format_bytes, plan
from shoal.data.scan import Scan
from shoal.data.source import Cell, Source
from shoal.data.store import BlockStore
from shoal.engines.local import fold_blocks, map_cells
from shoal.engines.sent_rows import Piece, Recipe, SentRows, SentValues
from shoal.engines.statistic import Statistic
from shoal.exceptions import DiskFullError, MemoryBudgetError

Partial = TypeVar("Partial")
Result = TypeVar("Result")


class _Share(DerivedSource):
    """Some cells of a source: a worker plans for its own rows, not for everybody's."""

    def __init__(self, origin: Source, cells: Sequence[Cell]) -> None:
        super().__init__(origin)
        self.in_memory = origin.is_at_hand(cells)
        self._share = cells

    def cells(self) -> Sequence[Cell]:
        return self._share

    def origin_cells(self, cell: Cell) -> Sequence[Cell]:
        return [cell]

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        return self._origin.read(cell, columns, max_rows)

    def fingerprint(self) -> str:
        return self._origin.fingerprint()


class _Held:
    """The decoded blocks of a dataset that a worker holds.

    Parameters
    ----------
    dataset : Dataset
    cells : sequence of Cell
        Its grid.
    n_threads, directory
        As of `Tenant`.
    room : callable
        Bytes that passes may take now.
    """

    def __init__(
        self,
        dataset: Dataset,
        cells: Sequence[Cell],
        n_threads: int,
        directory: Path | None,
        room: Callable[[], int],
    ) -> None:
        self._dataset, self._cells = dataset, cells
        self._n_threads, self._directory, self._room = n_threads, directory, room
        self._store: BlockStore | None = None
        self._planned: tuple[list[int], int] = ([], 0)
        self._last_pass = ""

    def scan(self, cells: list[int], running: str, beside_row_bytes: int) -> Scan[Block]:
        """The blocks of these cells for the pass `running`.

        Those of a pass's first scan are kept for the next pass; a further scan stands in for
        another worker, and what is kept does not make room for it.
        """
        if self._is_first_scan(running):
            return self._kept(cells, beside_row_bytes).scan(self._at(cells))
        return self.scan_once(cells)

    def scan_once(self, cells: list[int]) -> Scan[Block]:
        """The blocks of these cells in row order: those kept, or others, not to be kept.

        Kept in the cache file, they could be overwritten by a fold at the same time.
        """
        store = self._store
        kept = None if store is None else store.scan_in_memory(self._at(cells))
        return kept or self._passing(cells).scan(ordered=True)

    def scan_cells(self, cells: list[int], running: str) -> Scan[tuple[Cell, Generator[Block]]]:
        """These cells, each with its blocks, for the pass `running`; kept as by `scan`."""
        if self._is_first_scan(running):
            return self._kept(cells, 0).scan_cells(self._at(cells))
        return self._passing(cells).scan_cells(keep=False)

    @contextmanager
    def emptied_on_full_disk(self) -> Iterator[None]:
        """Give back the disk that decoded blocks take where it is full."""
        try:
            yield
        except DiskFullError:
            self.close()
            raise

    def close(self) -> None:
        """Forget decoded blocks."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _is_first_scan(self, running: str) -> bool:
        """Whether the pass `running` had no scan before."""
        before, self._last_pass = self._last_pass, running
        return running != before

    def _passing(self, cells: list[int]) -> BlockStore:
        """A store of these cells for a scan that keeps nothing."""
        share = self._share(cells)
        return BlockStore(share, self._plan(share, 0))

    def _kept(self, cells: list[int], beside_row_bytes: int) -> BlockStore:
        """The store of these cells, with room for what a statistic keeps beside blocks."""
        planned = (cells, max(beside_row_bytes, self._planned[1]))
        if self._store is not None and self._planned == planned:
            return self._store
        share = self._share(cells)
        wanted = self._plan(share, planned[1])
        if self._store is not None and self._store.plan.block_rows == wanted.block_rows:
            self._store.adopt(wanted)
        else:
            self.close()
            self._store = BlockStore(share, wanted, self._directory)
        self._planned = planned
        return self._store

    def _share(self, cells: list[int]) -> Dataset:
        return replace(self._dataset, source=_Share(self._dataset.source, self._at(cells)))

    def _plan(self, share: Dataset, beside_row_bytes: int) -> Plan:
        return plan(share, self._room(), self._n_threads, beside_row_bytes)

    def _at(self, cells: list[int]) -> list[Cell]:
        return [self._cells[index] for index in cells]


class Tenant:
    """What a driver keeps and runs on one worker. Its methods may be called from any thread.

    Parameters
    ----------
    memory_bytes : int
        Budget of the passes, and of rows that were sent.
    n_threads : int
        Threads of a fold.
    directory : path, default=None
        Where cache files go, as of `shoal.data.cache.BlockCache`.

    Attributes
    ----------
    closed : threading.Event
    """

    def __init__(self, memory_bytes: int, n_threads: int, directory: Path | None = None) -> None:
        self._memory_bytes, self._n_threads = memory_bytes, n_threads
        self._directory = directory
        self._held: dict[str, _Held] = {}
        self._rows: dict[str, SentRows | SentValues] = {}
        self._scans: dict[str, set[Scan[Any]]] = {}
        self._cancelled: set[str] = set()
        self.closed = Event()
        # A block, and what stands beside it, belongs to one fold at a time.
        self._folding = Lock()

    def greet(self) -> None:
        """Show that calls come here."""

    def receive(self, token: str, recipe: Recipe) -> None:
        """Take a dataset, from now on called `token`."""
        for role, name in recipe.names.items():
            self._rows.setdefault(name, recipe.empty[role])
        dataset = recipe.filled(self._rows)
        self._held[token] = _Held(
            dataset, recipe.cells, self._n_threads, self._directory, self._room
        )

    def receive_rows(self, name: str, pieces: list[Piece]) -> None:
        """Take rows that live in the driver, of those that are called `name`."""
        needed = self._sent_bytes + sum(piece.n_bytes for piece in pieces)
        if needed > self._memory_bytes:
            raise MemoryBudgetError(
                "Rows that are in the driver's memory do not fit the "
                f"{format_bytes(self._memory_bytes)} of a worker. Use more workers or more memory "
                "for each, or let workers read the rows from files."
            )
        for piece in pieces:
            self._rows[name].put(piece)

    def fold(
        self, running: str, token: str, cells: list[int], statistic: Statistic[Partial, Any]
    ) -> Partial:
        """The partial of these cells, for the pass `running`."""
        held = self._held[token]
        with (
            self._folding,
            held.emptied_on_full_disk(),
            held.scan(cells, running, statistic.beside_row_bytes) as scan,
            self._cancellable(running, scan),
        ):
            return fold_blocks(scan, statistic, self._n_threads)

    def map_cells(
        self,
        running: str,
        token: str,
        cells: list[int],
        function: Callable[[Cell, Iterator[Block]], Result],
    ) -> dict[int, Result]:
        """`function` of each of these cells, by index, for the pass `running`."""
        held = self._held[token]
        with (
            self._folding,
            held.emptied_on_full_disk(),
            held.scan_cells(cells, running) as scan,
            self._cancellable(running, scan),
        ):
            return map_cells(scan, function, self._n_threads)

    def map_blocks(
        self, running: str, token: str, cells: list[int], function: Callable[[Block], Result]
    ) -> dict[int, list[tuple[Block, Result]]]:
        """`function` of each block by cell, with blocks that have no features."""
        return {cell: self._map(running, self._held[token], cell, function) for cell in cells}

    def cancel(self, running: str) -> None:
        """End a pass soon, whatever comes out."""
        self._cancelled.add(running)
        for scan in list(self._scans.get(running, ())):
            scan.cancel()

    def forget(self, names: Collection[str]) -> None:
        """Let go of datasets, and of rows that were sent."""
        for name in names:
            self._rows.pop(name, None)
            if (held := self._held.pop(name, None)) is not None:
                with self._folding:
                    held.close()

    def close(self) -> None:
        """End all passes and let go of everything. Idempotent."""
        self.closed.set()
        for running in list(self._scans):
            self.cancel(running)
        self.forget([*self._held, *self._rows])

    @property
    def _sent_bytes(self) -> int:
        return sum(rows.n_bytes for rows in list(self._rows.values()))

    def _room(self) -> int:
        """What passes may take beside rows that were sent."""
        return max(1, self._memory_bytes - self._sent_bytes)

    def _map(
        self, running: str, held: _Held, cell: int, function: Callable[[Block], Result]
    ) -> list[tuple[Block, Result]]:
        with held.scan_once([cell]) as scan, self._cancellable(running, scan):
            return [(_row_numbers(block), function(block)) for block in iter(scan.take, None)]

    @contextmanager
    def _cancellable(self, running: str, scan: Scan[Any]) -> Iterator[None]:
        """Let `cancel` reach a scan, even if it came first."""
        scans = self._scans.setdefault(running, set())
        scans.add(scan)
        if self.closed.is_set() or running in self._cancelled:
            scan.cancel()
        try:
            yield
        finally:
            scans.discard(scan)
            if not scans:
                self._scans.pop(running, None)


def _row_numbers(block: Block) -> Block:
    """The block without its values."""
    nothing = np.empty(0)
    X = np.empty((block.n_rows, 0))
    return Block(X, block.first_row, nothing, nothing, rows=block.rows)


#: The tenants of this process, by name.
tenants: dict[str, Tenant] = {}
