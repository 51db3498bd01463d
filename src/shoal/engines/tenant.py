"""What one worker of a cluster keeps of datasets, and computes for a driver elsewhere."""

import asyncio
import traceback
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
from scipy import sparse

from shoal._typing import AnyArray, Rows
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.plan import Plan, format_bytes, plan
from shoal.data.scan import Scan
from shoal.data.source import Cell, Column, Source
from shoal.data.store import BlockStore
from shoal.data.windows import length, rows_between, whole_windows
from shoal.engines.cluster_pass import WorkerLostError
from shoal.engines.local import fold_blocks, map_cells
from shoal.engines.statistic import Statistic
from shoal.exceptions import MemoryBudgetError

Partial = TypeVar("Partial")
Result = TypeVar("Result")

#: Rows are sent in messages of about this size, so that copies on their way stay small.
_MESSAGE_BYTES = 32 << 20

_ROLES = ("target", "sample_weight")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some consecutive rows of one cell, on their way to a worker.

    Parameters
    ----------
    cell : int
        Index of the cell.
    first_row, n_rows : int
    rows : ndarray, csr_array, list of 1-D arrays or None
        What the source hands over for the columns that the dataset reads; None where workers
        read the source themselves.
    roles : dict of ndarray
        The rows' values of a target or weights that were given as arrays.
    """

    cell: int
    first_row: int
    n_rows: int
    rows: Rows | None
    roles: dict[str, AnyArray]

    @property
    def n_bytes(self) -> int:
        rows: Any = self.rows
        if sparse.issparse(rows):
            rows = [rows.data, rows.indices, rows.indptr]
        parts = rows if isinstance(rows, list) else [] if rows is None else [rows]
        return sum(part.nbytes for part in (*parts, *self.roles.values()))


@dataclass(frozen=True, slots=True)
class Recipe:
    """A dataset on its way to a worker, without the rows that live in the driver.

    Parameters
    ----------
    dataset : Dataset
    cells : tuple of Cell
        Its grid.
    roles : dict
        Shape and type of a target or weights given as arrays.
    """

    dataset: Dataset
    cells: tuple[Cell, ...]
    roles: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]


def recipe(dataset: Dataset) -> Recipe:
    """What a worker needs to know of `dataset`, a few kilobytes."""
    arrays = _role_arrays(dataset)
    without: dict[str, Any] = dict.fromkeys(arrays)
    if dataset.source.in_memory:
        without["source"] = SentRows(dataset)
    return Recipe(
        replace(dataset, **without),
        dataset.cells,
        {role: (values.shape, values.dtype) for role, values in arrays.items()},
    )


def messages(dataset: Dataset, cells: Iterable[Cell]) -> Iterator[list[Piece]]:
    """What of the rows of these cells lives in the driver, in messages of bounded size."""
    message: list[Piece] = []
    n_bytes = 0
    for piece in _pieces(dataset, cells):
        message.append(piece)
        n_bytes += piece.n_bytes
        if n_bytes >= _MESSAGE_BYTES:
            yield message
            message, n_bytes = [], 0
    if message:
        yield message


def _pieces(dataset: Dataset, cells: Iterable[Cell]) -> Iterator[Piece]:
    arrays = _role_arrays(dataset)
    if not (dataset.source.in_memory or arrays):
        return
    max_rows = whole_windows(_MESSAGE_BYTES // max(1, dataset.row_bytes), dataset.window_rows)
    for cell in cells:
        first_row = cell.first_row
        for rows, n_rows in _rows_in_driver(dataset, cell, max_rows):
            here = slice(first_row, first_row + n_rows)
            roles = {role: values[here] for role, values in arrays.items()}
            yield Piece(cell.index, first_row, n_rows, rows, roles)
            first_row += n_rows


def _rows_in_driver(
    dataset: Dataset, cell: Cell, max_rows: int
) -> Iterator[tuple[Rows | None, int]]:
    """The rows of a cell with their number; None instead of rows that workers read themselves."""
    if not dataset.source.in_memory:
        yield None, cell.n_rows
        return
    for rows in dataset.source.read(cell, dataset.columns_read, max_rows):
        # A slice of a Fortran array would be sent in C order.
        yield (rows.copy(order="K") if isinstance(rows, np.ndarray) else rows), length(rows)


def _role_arrays(dataset: Dataset) -> dict[str, AnyArray]:
    roles = {role: getattr(dataset, role) for role in _ROLES}
    return {role: values for role, values in roles.items() if isinstance(values, np.ndarray)}


class SentRows(Source):
    """Rows that live in the driver's memory, as far as they have been sent.

    They can be read for the columns that their dataset reads, and for no others.

    Parameters
    ----------
    dataset : Dataset
        Whose rows they are.
    """

    in_memory = True

    def __init__(self, dataset: Dataset) -> None:
        self.density = dataset.source.density
        self._columns = dataset.source.columns
        self._cells = dataset.cells
        self._name = uuid4().hex
        self._pieces: dict[int, list[Rows]] = {}

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._columns

    def cells(self) -> Sequence[Cell]:
        return self._cells

    def put(self, piece: Piece) -> None:
        """Add rows to those of their cell."""
        assert piece.rows is not None
        self._pieces.setdefault(piece.cell, []).append(piece.rows)

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        for rows in self._pieces[cell.index]:
            n_rows = length(rows)
            for start in range(0, n_rows, max_rows):
                yield rows_between(rows, start, min(start + max_rows, n_rows))

    def fingerprint(self) -> str:
        # The driver has hashed the values, where anybody asked for it.
        return self._name


class _Share(Source):
    """Some cells of a source: a worker plans for its own rows, not for everybody's."""

    def __init__(self, origin: Source, cells: Sequence[Cell]) -> None:
        self._origin, self._cells = origin, cells
        self.in_memory, self.density = origin.in_memory, origin.density

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._origin.columns

    def cells(self) -> Sequence[Cell]:
        return self._cells

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        return self._origin.read(cell, columns, max_rows)

    def reader_bytes(self, columns: Sequence[int]) -> int:
        return self._origin.reader_bytes(columns)

    def fingerprint(self) -> str:
        return self._origin.fingerprint()


class _Held:
    """One dataset as a worker holds it: what was sent of it, and its decoded blocks.

    Parameters
    ----------
    recipe : Recipe
    memory_bytes, n_threads, directory
        As of `Tenant`.
    """

    def __init__(
        self, recipe: Recipe, memory_bytes: int, n_threads: int, directory: Path | None
    ) -> None:
        # Pages of an empty array that are never touched take no memory, so row numbers can be
        # those of the whole dataset.
        self._arrays: dict[str, Any] = {
            role: np.zeros(*layout) for role, layout in recipe.roles.items()
        }
        self._dataset = replace(recipe.dataset, **self._arrays)
        self._cells = recipe.cells
        self._memory_bytes, self._n_threads = memory_bytes, n_threads
        self._directory = directory
        self._sent_bytes = 0
        self._store: BlockStore | None = None
        self._planned: tuple[list[int], int] = ([], 0)
        self._last_pass = ""

    def put(self, piece: Piece) -> None:
        """Take rows that were sent."""
        self._sent_bytes += piece.n_bytes
        if self._sent_bytes > self._memory_bytes:
            raise MemoryBudgetError(
                f"The rows of {self._dataset!r} that are in the driver's memory do not fit the "
                f"{format_bytes(self._memory_bytes)} of a worker. Use more workers or more memory "
                "for each, or let workers read the rows from files."
            )
        here = slice(piece.first_row, piece.first_row + piece.n_rows)
        for role, values in piece.roles.items():
            self._arrays[role][here] = values
        if isinstance(self._dataset.source, SentRows):
            self._dataset.source.put(piece)

    def scan(self, cells: list[int], running: str, beside_row_bytes: int) -> Scan[Block]:
        """The blocks of these cells for the pass `running`.

        Those of a pass's first scan are kept for the next pass; a further scan stands in for
        another worker, and what is kept does not make room for it.
        """
        if self._is_first_scan(running):
            return self._kept(cells, beside_row_bytes).scan(self._at(cells))
        return self.scan_once(cells)

    def scan_once(self, cells: list[int]) -> Scan[Block]:
        """The blocks of these cells in row order, not to be kept."""
        return self._passing(cells).scan(ordered=True)

    def scan_cells(self, cells: list[int], running: str) -> Scan[tuple[Cell, Generator[Block]]]:
        """These cells, each with its blocks, for the pass `running`; kept as by `scan`."""
        if self._is_first_scan(running):
            return self._kept(cells, 0).scan_cells(self._at(cells))
        return self._passing(cells).scan_cells(keep=False)

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
        room = max(1, self._memory_bytes - self._sent_bytes)
        return plan(share, room, self._n_threads, beside_row_bytes)

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
        self._scans: dict[str, set[Scan[Any]]] = {}
        self._cancelled: set[str] = set()
        self.closed = Event()
        # A block, and what stands beside it, belongs to one fold at a time.
        self._folding = Lock()

    def receive(self, token: str, recipe: Recipe) -> None:
        """Take a dataset, from now on called `token`."""
        self._held[token] = _Held(recipe, self._memory_bytes, self._n_threads, self._directory)

    def receive_rows(self, token: str, pieces: list[Piece]) -> None:
        """Take rows of a dataset that live in the driver."""
        for piece in pieces:
            self._held[token].put(piece)

    def fold(
        self, running: str, token: str, cells: list[int], statistic: Statistic[Partial, Any]
    ) -> Partial:
        """The partial of these cells, for the pass `running`."""
        held = self._held[token]
        with (
            self._folding,
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
        with (
            self._folding,
            self._held[token].scan_cells(cells, running) as scan,
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

    def forget(self, tokens: Collection[str]) -> None:
        """Let go of datasets."""
        for token in tokens:
            if (held := self._held.pop(token, None)) is not None:
                with self._folding:
                    held.close()

    def close(self) -> None:
        """End all passes and let go of everything. Idempotent."""
        self.closed.set()
        for running in list(self._scans):
            self.cancel(running)
        self.forget(list(self._held))

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


@dataclass(frozen=True, slots=True)
class Raised:
    """What a call raised, with the traceback told in a note: frames do not travel."""

    error: Exception


async def call_tenant(name: str, method: str, *arguments: Any) -> Any:
    """What a method of a tenant returns; the worker's event loop goes on meanwhile."""
    return await asyncio.to_thread(answer_of, name, method, lambda: arguments)


async def close_tenant(name: str) -> None:
    """Close a tenant, if it is there."""
    if (tenant := tenants.pop(name, None)) is not None:
        await asyncio.to_thread(tenant.close)


def answer_of(name: str, method: str, arguments: Callable[[], tuple[Any, ...]]) -> Any:
    """What a method of a tenant returns, or `Raised`."""
    try:
        if name not in tenants:
            raise WorkerLostError("Another process has taken its place.")
        return getattr(tenants[name], method)(*arguments())
    except Exception as error:  # noqa: BLE001 - raised again in the driver
        error.add_note(f"On a worker:\n{traceback.format_exc()}")
        return Raised(error)
