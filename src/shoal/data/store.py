"""The blocks of a dataset as they are kept between passes."""

import mmap
import weakref
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from shoal._typing import AnyArray
from shoal.data.block import Block
from shoal.data.cache import BlockCache, StoredBlock
from shoal.data.dataset import Dataset
from shoal.data.plan import Plan
from shoal.data.row_major import row_major
from shoal.data.scan import CellScan, Found, OrderedScan, Scan, UnorderedScan
from shoal.data.source import Cell

#: Of the cache file, that the disk is ahead of what threads take: they work meanwhile, and a scan
#: backwards is none that the system would foresee.
_AHEAD_BYTES = 32 * 2**20


@dataclass(slots=True)
class _Kept:
    """A block between passes: in memory, in the cache file, or (None) to be read again."""

    place: Block | StoredBlock | None
    beside: dict[str, Any]
    n_bytes: int = 0


class BlockStore:
    """The blocks of a dataset, or of the cells it is asked for, from one pass to the next.

    A cell met for the first time is read from the source by the threads that take its blocks.
    They stay in memory while they fit the plan, the first ones met: on scans that go round and
    round this beats keeping the latest. The rest goes to the block cache, which later scans read
    in alternating direction, so that they begin with what the system still has in memory.

    Blocks of data in memory are views and stay; those that are converted copies and do not fit
    are converted again, never cached on disk.

    Parameters
    ----------
    dataset : Dataset
        Held by a copy, so that a store does not keep its caller's dataset alive.
    plan : Plan
    directory : path, default=None
        Where the cache file goes, as of `BlockCache`.
    """

    def __init__(self, dataset: Dataset, plan: Plan, directory: Path | None = None) -> None:
        self._dataset = copy(dataset)
        self._plan = plan
        self._directory = directory
        self._cells: dict[int, list[_Kept]] = {}
        self._cache: BlockCache | None = None
        self._buffers = _Buffers()
        self._kept_bytes = 0
        self._is_forward = False
        self._lock = Lock()

    @property
    def plan(self) -> Plan:
        return self._plan

    def adopt(self, plan: Plan) -> None:
        """Keep to another plan with blocks of the same size; no scan may be under way."""
        assert plan.block_rows == self._plan.block_rows
        self._plan = plan
        in_memory = [kept for cell in self._cells.values() for kept in cell if kept.n_bytes]
        while self._kept_bytes > plan.kept_bytes:
            self._evict(in_memory.pop())

    def scan(self, cells: Sequence[Cell] | None = None, *, ordered: bool = False) -> Scan[Block]:
        """One pass over the blocks of `cells`, to be used in a ``with``.

        Parameters
        ----------
        cells : sequence of Cell, default=None
            Blocks of other cells are forgotten. None: all cells.
        ordered : bool, default=False
            Hand blocks out in row order. Blocks not met before are then read and not kept: who
            wants rows in order mostly wants them once.
        """
        cells = self._dataset.cells if cells is None else cells
        self._forget_all_but({cell.index for cell in cells})
        if ordered:
            in_order = sorted(cells, key=lambda cell: cell.first_row)
            return OrderedScan(self, list(self.find(in_order)))
        return UnorderedScan(self, cells, self._next_direction())

    def scan_in_memory(self, cells: Sequence[Cell]) -> Scan[Block] | None:
        """The blocks of `cells`, in their order, if all are in memory; beside any other scan.

        What stands beside them is left to that one.
        """
        found = list(self.find(cells))
        blocks = [replace(place, beside={}) for place in found if isinstance(place, Block)]
        return OrderedScan(self, blocks) if len(blocks) == len(found) else None

    def scan_cells(
        self, cells: Sequence[Cell] | None = None, *, keep: bool = True
    ) -> Scan[tuple[Cell, Generator[Block]]]:
        """One pass over `cells`, to be used in a ``with``: each with its blocks in row order.

        Parameters
        ----------
        cells : sequence of Cell, default=None
            Blocks of other cells are forgotten. None: all cells.
        keep : bool, default=True
            Whether blocks not met before are kept.
        """
        cells = self._dataset.cells if cells is None else cells
        self._forget_all_but({cell.index for cell in cells})
        return CellScan(self, cells[:: self._next_direction()], keep=keep)

    def close(self) -> None:
        """Forget all blocks and remove the cache file. Idempotent."""
        self._forget_all_but(set())
        if self._cache is not None:
            self._cache.close()
            self._cache = None

    def find(self, cells: Sequence[Cell]) -> Iterator[Found]:
        """Where the blocks of these cells are now, in their order."""
        for cell in cells:
            places = [kept.place for kept in self._cells.get(cell.index, ())]
            if cell.index in self._cells and None not in places:
                yield from (place for place in places if place is not None)
            else:
                yield cell

    def hand_out(self, block: Block) -> Block:
        """The block, with nothing beside it where the plan has no room for that."""
        return block if self._plan.beside_bytes else replace(block, beside={})

    def read(self, cell: Cell, *, keep: bool) -> Generator[Block]:
        """The blocks of a cell from its source, kept from now on if asked."""
        # The plan has room for blocks that are read back or for those that are decoded.
        self._buffers.clear()
        kept: list[_Kept] = []
        known = self._cells.get(cell.index, ())
        blocks = self._dataset.read(cell, self._plan.block_rows)
        if known:
            blocks = map(_with_beside, blocks, known)
        if keep:
            blocks = map(partial(self._keep, kept), blocks)
        try:
            # Not a loop, whose variable would hold one block more in memory.
            yield from blocks
            if keep:
                with self._lock:
                    kept, self._cells[cell.index] = self._cells.get(cell.index, []), kept
        finally:
            # What was kept of it before, or now if it was not read to its end.
            self._forget(kept)

    def kept(self, found: Iterable[Found]) -> "KeptBlocks":
        """The blocks among what `find` has found, to be taken in this order."""
        places = (place for place in found if not isinstance(place, Cell))
        return KeptBlocks(places, self._cache, self._buffers)

    def _next_direction(self) -> int:
        """1 and -1 in turn."""
        self._is_forward = not self._is_forward
        return 1 if self._is_forward else -1

    def _keep(self, kept: list[_Kept], block: Block) -> Block:
        """The block, once it is where it will be found again and this is noted in `kept`."""
        in_memory = self._dataset.source.in_memory
        block = block if in_memory else _packed(block)
        n_bytes = 0 if self._plan.are_views and _is_view(block) else block.n_bytes
        if self._fits(n_bytes):
            kept.append(_Kept(block, block.beside, n_bytes))
        elif in_memory:
            kept.append(_Kept(None, block.beside))
        else:
            kept.append(_Kept(self._opened_cache().write(block), block.beside))
        return block

    def _fits(self, n_bytes: int) -> bool:
        """Whether `n_bytes` more may stay in memory; if so they are counted."""
        with self._lock:
            fits = self._kept_bytes + n_bytes <= self._plan.kept_bytes
            self._kept_bytes += n_bytes if fits else 0
        return fits

    def _opened_cache(self) -> BlockCache:
        with self._lock:
            if self._cache is None:
                self._cache = BlockCache(self._plan.cached_bytes, self._directory)
            return self._cache

    def _evict(self, kept: _Kept) -> None:
        """Move a block out of memory."""
        assert isinstance(kept.place, Block)
        in_memory = self._dataset.source.in_memory
        kept.place = None if in_memory else self._opened_cache().write(kept.place)
        self._kept_bytes -= kept.n_bytes
        kept.n_bytes = 0

    def _forget_all_but(self, wanted: set[int]) -> None:
        for index in self._cells.keys() - wanted:
            self._forget(self._cells.pop(index))

    def _forget(self, blocks: Sequence[_Kept]) -> None:
        for kept in blocks:
            with self._lock:
                self._kept_bytes -= kept.n_bytes
            if self._cache is not None and isinstance(kept.place, StoredBlock):
                self._cache.discard(kept.place)


class KeptBlocks:
    """Blocks kept before, each for one caller of `take`.

    Those of the cache file are read by the thread that takes them: so as many are read at a time
    as there are threads, and a block is still in the processor's cache when it is worked on.
    """

    def __init__(
        self,
        places: Iterable[Block | StoredBlock],
        cache: BlockCache | None,
        buffers: "_Buffers",
    ) -> None:
        self._places = deque(places)
        self._cache, self._buffers = cache, buffers
        stored = [place for place in self._places if isinstance(place, StoredBlock)]
        largest = max((place.n_bytes for place in stored), default=0)
        self._buffers.resize(largest)
        self._unexpected = iter(stored)
        for _ in stored[: _AHEAD_BYTES // max(largest, 1)]:
            self._expect_next()

    def take(self) -> Block | None:
        """The next block; None where there is no more. Thread-safe."""
        try:
            place = self._places.popleft()
        except IndexError:
            return None
        if isinstance(place, Block):
            return place
        self._expect_next()
        assert self._cache is not None
        return self._cache.read(place, self._buffers.take())

    def _expect_next(self) -> None:
        """Have the system read one block more ahead."""
        place = next(self._unexpected, None)
        if place is not None and self._cache is not None:
            self._cache.expect(place)


class _Buffers:
    """Memory for blocks, used again once all views of it are gone."""

    def __init__(self) -> None:
        self._n_bytes = 0
        self._free: deque[mmap.mmap] = deque()

    def resize(self, n_bytes: int) -> None:
        """Make arrays of at least `n_bytes` from now on."""
        if n_bytes > self._n_bytes:
            self._n_bytes = n_bytes
            self.clear()

    def clear(self) -> None:
        """Give back what nobody uses."""
        self._free.clear()

    def take(self) -> AnyArray:
        """An array of at least the set size, shape (n_bytes,), uint8, that no other overlaps."""
        try:
            memory = self._free.pop()
        except IndexError:
            # Mapped by itself, memory goes back to the system when it is dropped.
            memory = mmap.mmap(-1, self._n_bytes)
        lease = np.frombuffer(memory, np.uint8)
        # Views of `lease` keep it alive, not only `memory`: NumPy passes over bases that are
        # arrays, and this one's is not.
        weakref.finalize(lease, self._give_back, memory).atexit = False
        return lease

    def _give_back(self, memory: mmap.mmap) -> None:
        if len(memory) >= self._n_bytes:
            self._free.append(memory)


def _with_beside(block: Block, known: _Kept) -> Block:
    return replace(block, beside=known.beside)


def _is_view(block: Block) -> bool:
    """Whether the block's values belong to somebody else."""
    values = block.X if isinstance(block.X, np.ndarray) else block.X.data
    return values.base is not None


def _packed(block: Block) -> Block:
    """The block with a matrix in the order that is read fastest and in memory of its own."""
    X = block.X
    if not isinstance(X, np.ndarray) or (X.base is None and X.flags.c_contiguous):
        return block
    return replace(block, X=row_major(X))
