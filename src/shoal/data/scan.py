"""Passes over the blocks of a store."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from operator import itemgetter
from threading import BoundedSemaphore, Condition, Lock
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeAlias, TypeVar

from shoal.data.block import Block
from shoal.data.cache import StoredBlock
from shoal.data.source import Cell

if TYPE_CHECKING:
    from shoal.data.store import BlockStore

#: What a scan finds: a block in memory, a block in the cache file, or a cell yet to be read.
Found: TypeAlias = Block | StoredBlock | Cell

Item = TypeVar("Item")


class Scan(ABC, Generic[Item]):
    """One pass over the items of a store: each is handed to exactly one caller of `take`."""

    _is_cancelled = False

    @abstractmethod
    def take(self) -> Item | None:
        """The next item; None where there is no more, or after `cancel`. Thread-safe.

        Raises
        ------
        FileError, DataError
            What reading the blocks raised.
        """

    @abstractmethod
    def cancel(self) -> None:
        """Hand out no more. Idempotent, thread-safe."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what the scan holds. Nobody may be taking."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()
        self.close()


class UnorderedScan(Scan[Block]):
    """Hands out whatever is at hand, so that neither the threads nor the disk wait."""

    def __init__(self, store: "BlockStore", cells: Sequence[Cell], direction: int) -> None:
        found = list(store.find(cells))[::direction]
        self._store = store
        self._kept = store.kept(_spread(found))
        self._readers = _Readers(
            [place for place in found if isinstance(place, Cell)],
            partial(store.read, keep=True),
            store.plan.n_readers,
        )

    def take(self) -> Block | None:
        for supply in (self._kept.take, self._readers.take):
            block = None if self._is_cancelled else supply()
            if block is not None:
                return self._store.hand_out(block)
        return None

    def cancel(self) -> None:
        self._is_cancelled = True
        self._readers.stop()

    def close(self) -> None:
        self._readers.close()


class OrderedScan(Scan[Block]):
    """Hands out what was found, in row order."""

    def __init__(self, store: "BlockStore", found: Sequence[Found]) -> None:
        self._store = store
        self._blocks = self._in_order(found)
        self._lock = Lock()

    def take(self) -> Block | None:
        with self._lock:
            block = None if self._is_cancelled else next(self._blocks, None)
        return block if block is None else self._store.hand_out(block)

    def cancel(self) -> None:
        self._is_cancelled = True

    def close(self) -> None:
        self._blocks.close()

    def _in_order(self, found: Sequence[Found]) -> Generator[Block | None]:
        kept = self._store.kept(found)
        for place in found:
            if isinstance(place, Cell):
                yield from self._store.read(place, keep=False)
            else:
                yield kept.take()


class CellScan(Scan[tuple[Cell, Generator[Block]]]):
    """Hands out cells, each with its blocks in row order for one thread to take.

    Who takes the blocks of a cell closes their generator before taking another cell.
    """

    def __init__(self, store: "BlockStore", cells: Sequence[Cell], *, keep: bool) -> None:
        self._store = store
        self._waiting = deque(cells)
        self._keep = keep
        self._readers = BoundedSemaphore(store.plan.n_readers)

    def take(self) -> tuple[Cell, Generator[Block]] | None:
        try:
            cell = self._waiting.popleft()
        except IndexError:
            return None
        return cell, self._blocks(cell)

    def cancel(self) -> None:
        self._is_cancelled = True
        self._waiting.clear()

    def close(self) -> None:
        """Nothing is held beyond the generators."""

    def _blocks(self, cell: Cell) -> Generator[Block]:
        """The blocks of a cell, up to where the scan is cancelled."""
        with closing(self._found(cell)) as blocks:
            while not self._is_cancelled and (block := next(blocks, None)) is not None:
                yield self._store.hand_out(block)
                # It may not be held while the next one is read.
                del block

    def _found(self, cell: Cell) -> Generator[Block]:
        """The blocks of a cell from wherever they are now."""
        found = list(self._store.find([cell]))
        if found == [cell]:
            with self._readers:
                yield from self._store.read(cell, keep=self._keep)
        else:
            kept = self._store.kept(found)
            # Not a loop, whose variable would hold one block while the next one is read.
            yield from iter(kept.take, None)


class _Readers:
    """Cells that are being read: any thread may take the next block of any of them."""

    def __init__(
        self, cells: Sequence[Cell], read: Callable[[Cell], Generator[Block]], n_readers: int
    ) -> None:
        self._unread = deque(cells)
        self._read = read
        self._n_readers = n_readers
        self._n_open = 0
        self._idle: deque[Generator[Block]] = deque()
        self._is_stopped = False
        self._changed = Condition()

    def take(self) -> Block | None:
        """The next block of some cell; None where all are read."""
        while (reader := self._acquire()) is not None:
            block = None
            try:
                block = next(reader, None)
            finally:
                self._release(reader, is_open=block is not None)
            if block is not None:
                return block
        return None

    def stop(self) -> None:
        """Wake up who waits for a block."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def close(self) -> None:
        """Give up the cells that are half read."""
        while self._idle:
            self._idle.pop().close()

    def _acquire(self) -> Generator[Block] | None:
        """A reader that no other thread has, once there is one; None where all are done."""
        with self._changed:
            while not self._is_stopped:
                if self._idle:
                    return self._idle.popleft()
                if self._unread and self._n_open < self._n_readers:
                    self._n_open += 1
                    return self._read(self._unread.popleft())
                if not self._n_open:
                    return None
                self._changed.wait()
            return None

    def _release(self, reader: Generator[Block], *, is_open: bool) -> None:
        with self._changed:
            if is_open:
                self._idle.append(reader)
            else:
                self._n_open -= 1
            self._changed.notify_all()


def _spread(found: Sequence[Found]) -> list[Block | StoredBlock]:
    """Blocks in memory and those on disk, evenly mixed: the disk goes on in the meantime."""
    ranked: list[tuple[float, Block | StoredBlock]] = []
    for kind in (Block, StoredBlock):
        places = [place for place in found if isinstance(place, kind)]
        ranked += [((rank + 0.5) / len(places), place) for rank, place in enumerate(places)]
    return [place for _, place in sorted(ranked, key=itemgetter(0))]
