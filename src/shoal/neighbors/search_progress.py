"""How far a search for neighbours is."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Any

from shoal.callbacks import counted_by
from shoal.data.block import Block


class SearchProgress:
    """Counts the queries that have been answered, for the progress bar.

    Queries are answered a batch at a time, which can take a pass over more rows than memory
    holds: of a batch at hand, as large a part counts as its pass has read of the rows.

    Parameters
    ----------
    name : str
        What searches.
    n_queries : int
    n_rows : int
        Rows to search, of all passes of a batch.

    Attributes
    ----------
    n_answered : int
        Queries of batches that have been answered.
    """

    unit = "queries"
    position = "search"
    loss = None
    seconds_left = None

    def __init__(self, name: str, n_queries: int, n_rows: int) -> None:
        self.name, self.n_rows = name, n_queries
        self._searched_rows = n_rows
        self.n_answered = self._n_at_hand = self._n_read = 0
        self._lock = Lock()
        self._began = monotonic()

    def over(self, batches: Iterable[Block]) -> Iterator[Block]:
        """`batches`, each of them answered when the next one is asked for."""
        for batch in batches:
            with self._lock:
                self._n_at_hand, self._n_read = batch.n_rows, 0
            yield batch
            with self._lock:
                self.n_answered += batch.n_rows
                self._n_at_hand = 0

    def begin_pass(self) -> None:
        """Take note of nothing: several passes may answer one batch."""

    def count_rows(self, n_rows: int) -> None:
        """Count rows read; safe in any thread."""
        with self._lock:
            self._n_read += n_rows

    @property
    def pass_rows(self) -> float:
        """Queries answered, of those at hand the part that has been."""
        with self._lock:
            read = min(self._n_read / self._searched_rows, 1.0)
            return self.n_answered + self._n_at_hand * read

    @property
    def rows_per_second(self) -> float:
        """Queries answered per second."""
        seconds = monotonic() - self._began
        return self.pass_rows / seconds if seconds > 0 else 0.0

    @property
    def pass_seconds_left(self) -> float | None:
        """Time left, once the speed is known."""
        speed = self.rows_per_second
        return (self.n_rows - self.pass_rows) / speed if speed else None


@contextmanager
def searching(model: Any, n_queries: int) -> Iterator[SearchProgress]:
    """A search by a fitted model: a progress bar appears where it takes its time."""
    progress = SearchProgress(type(model).__name__, n_queries, model.n_samples_fit_)
    with counted_by(progress):
        yield progress
