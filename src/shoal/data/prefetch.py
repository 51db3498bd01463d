"""Reading ahead on a thread of its own."""

from collections import deque
from collections.abc import Iterator
from threading import Condition, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Prefetch(Generic[Item]):
    """Takes items from an iterator ahead of those who want them.

    Its thread ends with the iterator, with the iterator's first error, which consumers get after
    the items before it, or with `close`.

    Parameters
    ----------
    items : iterator
        Advanced by the thread alone.
    depth : int
        Most items that wait to be taken.
    """

    def __init__(self, items: Iterator[Item], depth: int) -> None:
        self._items = items
        self._depth = depth
        self._ready: deque[Item] = deque()
        self._error: BaseException | None = None
        self._ended = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="shoal-prefetch", daemon=True)
        self._thread.start()

    def take(self, *, wait: bool = True) -> Item | None:
        """The next item; None where there is no more, or without `wait` none yet.

        Raises
        ------
        BaseException
            What the iterator raised.
        """
        with self._changed:
            while wait and not self._ready and not self._ended:
                self._changed.wait()
            if self._ready:
                self._changed.notify_all()
                return self._ready.popleft()
            if self._error is not None:
                raise self._error
            return None

    def cancel(self) -> None:
        """Read no more, and drop what is ahead. Idempotent, thread-safe."""
        self._end()
        with self._changed:
            self._ready.clear()

    def close(self) -> None:
        """Cancel, and wait until the thread has ended. Idempotent."""
        self.cancel()
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._wait_for_room() and self._advance():
                pass
        except BaseException as error:  # noqa: BLE001 - raised again by take
            self._end(error)

    def _wait_for_room(self) -> bool:
        """Whether one more item may be read, once there is room for it."""
        with self._changed:
            while len(self._ready) >= self._depth and not self._ended:
                self._changed.wait()
            return not self._ended

    def _advance(self) -> bool:
        """Put the next item in; False where there is none."""
        for item in self._items:
            with self._changed:
                if not self._ended:
                    self._ready.append(item)
                    self._changed.notify_all()
            return True
        self._end()
        return False

    def _end(self, error: BaseException | None = None) -> None:
        with self._changed:
            self._ended = True
            self._error = self._error or error
            self._changed.notify_all()
