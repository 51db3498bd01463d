"""Windows: runs of rows of a cell that no block cuts through."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse

from shoal._typing import Rows


def whole_windows(n_rows: int, window_rows: int) -> int:
    """The most rows that are whole windows and no more than `n_rows`; one window at least."""
    return max(n_rows // window_rows, 1) * window_rows


def cut_at_windows(
    pieces: Iterator[Rows], n_rows: int, window_rows: int, max_rows: int
) -> Iterator[Rows]:
    """The rows of a cell in pieces that begin at multiples of `window_rows`.

    Rows after a piece's last whole window wait for the next piece: only these are copied.

    Parameters
    ----------
    pieces : iterator of rows as `Source.read` yields them
        Of at most `max_rows` rows each.
    n_rows : int
        Rows of the cell; what comes last is no whole window.
    window_rows : int
    max_rows : int
        Most rows of what is yielded: a multiple of `window_rows`, or `n_rows` and more.
    """
    waiting: list[Rows] = []
    n_waiting = 0
    for rows in pieces:
        start, stop = 0, length(rows)
        n_rows -= stop
        while n_ready := _ready(n_waiting + stop - start, n_rows, window_rows, max_rows):
            cut = start + n_ready - n_waiting
            yield _joined([*waiting, rows_between(rows, start, cut)])
            waiting, n_waiting, start = [], 0, cut
        if start < stop:
            waiting.append(_copied(rows_between(rows, start, stop)))
            n_waiting += stop - start
        # Nothing of these rows may be held here while the source decodes the next ones.
        del rows


def _ready(n_here: int, n_to_come: int, window_rows: int, max_rows: int) -> int:
    """How many of `n_here` rows make the next piece; 0 where more must come first."""
    if n_to_come:
        n_here -= n_here % window_rows
    return min(n_here, max_rows)


def length(rows: Rows) -> int:
    """Number of rows."""
    return int(rows[0].shape[0] if isinstance(rows, list) else rows.shape[0])


def rows_between(rows: Rows, start: int, stop: int) -> Rows:
    """Rows start to stop, as views where they can be."""
    if start == 0 and stop == length(rows):
        return rows
    if isinstance(rows, list):
        return [column[start:stop] for column in rows]
    return rows[start:stop]


def _copied(rows: Rows) -> Rows:
    """The rows in memory of their own, so that they do not hold that of the whole piece."""
    return [column.copy() for column in rows] if isinstance(rows, list) else rows.copy()


def _joined(pieces: Sequence[Rows]) -> Rows:
    """The rows of all pieces as one."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    if isinstance(first, list):
        return [np.concatenate(columns) for columns in zip(*pieces, strict=True)]
    return sparse.vstack(pieces, "csr") if sparse.issparse(first) else np.concatenate(pieces)
