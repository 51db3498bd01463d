"""Rows of Dask arrays and data frames."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np

from shoal._typing import Rows
from shoal.data.arrays import ArraySource
from shoal.data.frames import FrameSource
from shoal.data.source import Cell, Column, Source
from shoal.exceptions import DataError, EngineError


class DaskSource(Source):
    """Rows of a Dask collection; a cell is a row block of the array or frame.

    A row block is computed where it is read, from its own part of the graph, on the reading
    thread: rows do not pass through the client. Blocks of persisted collections are read in place
    by workers that hold them, and fetched by others. Unknown lengths are computed once, when the
    source is made.

    Parameters
    ----------
    collection : dask.array.Array of shape (n_rows, n_columns) or dask.dataframe.DataFrame

    Raises
    ------
    DataError
        Another collection, or an array that is not 2-D.
    """

    def __init__(self, collection: Any) -> None:
        kind = type(collection)
        if hasattr(kind, "chunks"):
            self._columns, delayed = _array_blocks(collection)
        elif hasattr(kind, "npartitions") and getattr(collection, "ndim", 0) == 2:
            self._columns = FrameSource(collection._meta_nonempty).columns
            delayed = collection.to_delayed()
        else:
            raise DataError(f"Expected a Dask Array or DataFrame, got {type(collection).__name__}.")
        self._parts = [_part(block) for block in delayed]
        self._cells = _lay_cells(_lengths(collection, delayed))

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._columns

    def cells(self) -> Sequence[Cell]:
        return self._cells

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        source = _in_memory(self._part(cell).compute())
        self._check(source, cell)
        return source.read(replace(cell, first_row=0), columns, max_rows)

    def _check(self, rows: Source, cell: Cell) -> None:
        """Raise DataError unless a row block is what the collection announces."""
        n_rows, columns = sum(part.n_rows for part in rows.cells()), rows.columns
        announced = f"{cell.n_rows} rows x {len(self._columns)} columns"
        found = f"{n_rows} rows x {len(columns)} columns"
        kinds = zip(self._columns, columns, strict=False)
        if any(column.is_numeric and not is_now.is_numeric for column, is_now in kinds):
            announced, found = "numbers", "something else"
        if found != announced:
            raise DataError(
                f"A Dask collection announces {announced} from row {cell.first_row} on, but they "
                f"are computed as {found}. Mend its meta, shape or dtype."
            )

    def reader_bytes(self, columns: Sequence[int]) -> int:
        # A row block is computed whole, with all its columns.
        row_bytes = sum(column.dtype.itemsize for column in self._columns)
        return row_bytes * max((cell.n_rows for cell in self._cells), default=0)

    def is_at_hand(self, cells: Sequence[Cell]) -> bool:
        parts = [self._part(cell) for cell in cells]
        return all(part.is_here and _in_memory(part.compute()).in_memory for part in parts)

    def homes(self, client: Any) -> dict[int, str]:
        """Address of a worker that holds the row block of each cell, by index of the cell.

        Waits for row blocks that are still being computed. Cells are left out whose row block
        nobody holds: it is computed where it is read.
        """
        pending = {
            cell.index: future
            for cell in self._cells
            for future in [*self._part(cell).futures.values()][:1]
            if future.client is not None
        }
        if not pending:
            return {}
        from distributed import wait

        wait(list(pending.values()))
        held = client.who_has(list(pending.values()))
        found = {index: held.get(future.key, ()) for index, future in pending.items()}
        return {index: addresses[0] for index, addresses in found.items() if addresses}

    def _part(self, cell: Cell) -> "_Part":
        (number,) = cell.address
        return self._parts[number]

    def fingerprint(self) -> str:
        keys = [part.key for part in self._parts]
        return sha256(repr((keys, self._columns)).encode()).hexdigest()


def _in_memory(rows: Any) -> ArraySource | FrameSource:
    """The rows of a computed row block."""
    return ArraySource(rows) if hasattr(rows, "reshape") else FrameSource(rows)


@dataclass(frozen=True, slots=True)
class _Part:
    """What it takes to compute one row block: its key and the tasks it needs."""

    key: Any
    tasks: dict[Any, Any]

    @property
    def futures(self) -> dict[Any, Any]:
        """The inputs that the cluster holds."""
        if "distributed" not in sys.modules:
            return {}
        from distributed import Future

        return {key: task for key, task in self.tasks.items() if isinstance(task, Future)}

    @property
    def is_here(self) -> bool:
        """Whether the row block is in this process, and computing it only finds it."""
        futures = self.futures
        # Aliases alone have a target.
        is_found = all(
            key in futures or hasattr(task, "target") for key, task in self.tasks.items()
        )
        return bool(futures) and is_found and all(_here(f) is not None for f in futures.values())

    def compute(self) -> Any:
        """The row block."""
        import dask
        from dask.local import get_sync

        held = {key: _result(future) for key, future in self.futures.items()}
        with dask.config.set(scheduler="synchronous"):
            return get_sync({**self.tasks, **held}, self.key)


def is_dask_collection(data: Any) -> bool:
    """Whether `data` is a Dask collection, without importing Dask to know."""
    if "dask" not in sys.modules:
        return False
    from dask import is_dask_collection as is_collection

    return bool(is_collection(data))


def _array_blocks(array: Any) -> tuple[tuple[Column, ...], list[Any]]:
    """Columns, and row blocks as delayed values, of a Dask array."""
    if array.ndim != 2:
        raise DataError(
            f"Expected 2D array, got {array.ndim}D array instead: a Dask array of shape "
            f"{array.shape}. Reshape your data by array.reshape(-1, 1) if it has a single feature."
        )
    if np.isnan(array.shape[1]):
        raise DataError(
            "The Dask array does not know its number of columns: call its compute_chunk_sizes()."
        )
    columns = tuple(Column(f"x{position}", array.dtype) for position in range(array.shape[1]))
    # Dask's optimization of arrays loses the inputs that a cluster holds.
    delayed = array.rechunk({1: -1}).to_delayed(optimize_graph=False)
    return columns, delayed[:, 0].tolist()


def _part(delayed: Any) -> _Part:
    """The tasks that a delayed value needs, without those of others."""
    from dask.optimization import cull

    tasks, _ = cull(delayed.dask, [delayed.key])
    return _Part(delayed.key, dict(tasks))


def _lengths(collection: Any, delayed: Sequence[Any]) -> list[int]:
    """Number of rows of each row block, computed where the collection does not know."""
    import dask

    if hasattr(collection, "chunks") and not np.isnan(collection.chunks[0]).any():
        return list(collection.chunks[0])
    return list(dask.compute(*map(dask.delayed(len), delayed)))


def _lay_cells(lengths: Sequence[int]) -> tuple[Cell, ...]:
    """A cell for each row block that has rows."""
    cells: list[Cell] = []
    first_row = 0
    for number, n_rows in enumerate(lengths):
        if n_rows:
            name = "Dask collection"
            cells.append(Cell(len(cells), first_row, n_rows, name, first_row, (number,)))
        first_row += n_rows
    return tuple(cells)


def _bind(future: Any) -> None:
    """Let a future that came here by pickle be fetched through the client of this process.

    Where there is neither worker nor client, it stays as it is.
    """
    client = _client()
    if client is not None:
        future.bind_client(client)
        # As Client.get_dataset does: the scheduler tells who wants it where a key is.
        desired = {"op": "client-desires-keys", "keys": [future.key], "client": client.id}
        client._send_to_scheduler(desired)


def _client() -> Any:
    """The client of this worker, or of this process, if any."""
    from distributed import Worker, get_client

    try:
        return get_client()
    except ValueError:
        # Threads outside of a task do not know their worker, but the process does.
        workers = list(Worker._instances)
        return workers[0]._get_client() if workers else None


def _here(future: Any) -> Any:
    """The value of a future that a worker in this process holds, where it lies; else None."""
    from distributed import Worker

    held = (worker.data.get(future.key) for worker in list(Worker._instances))
    return next((value for value in held if value is not None), None)


def _result(future: Any) -> Any:
    here = _here(future)
    if here is not None:
        return here
    if future.client is None:
        _bind(future)
    if future.client is None:
        raise EngineError(
            "Rows of a persisted Dask collection are read where there is no Dask client. Use "
            "DaskEngine with the cluster that holds them, or do not persist."
        )
    return future.result()
