"""Threads that make calls and wait for their answers."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Callers:
    """As many threads as there have been calls at a time; they stay for those to come.

    Unlike those of `concurrent.futures.ThreadPoolExecutor` they are daemons: no program waits at
    its end for a worker that is frozen. A new thread for each call would have to wait for a core,
    where one that has waited before is let go first.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._n_idle = Semaphore(0)

    def start(self, call: Callable[..., Answer], *arguments: Any) -> Future[Answer]:
        """Begin a call; the future ends with what it returns or raises."""
        ended: Future[Answer] = Future()

        def make() -> None:
            try:
                ended.set_result(call(*arguments))
            except BaseException as error:  # noqa: BLE001 - raised again by who waits
                ended.set_exception(error)

        self._calls.put(make)
        if not self._n_idle.acquire(blocking=False):
            Thread(target=self._work, name="shoal-call", daemon=True).start()
        return ended

    def end(self) -> None:
        """Let threads go, once the calls that have begun are made."""
        self._calls.put(None)

    def _work(self) -> None:
        while self._make_next():
            self._n_idle.release()

    def _make_next(self) -> bool:
        """Make a call, of which nothing is kept; False where there will be no more."""
        make = self._calls.get()
        if make is None:
            self._calls.put(None)
            return False
        make()
        return True
