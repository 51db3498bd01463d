"""The progress bar: one display for every fit that runs in this process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.table import Table

#: Fits that end sooner than this show nothing.
DELAY_SECONDS = 2.0
REFRESH_SECONDS = 0.25


class FitView(Protocol):
    """What the display shows of a fit."""

    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def n_rows(self) -> int | None: ...
    @property
    def loss(self) -> float | None: ...
    @property
    def position(self) -> str: ...
    @property
    def pass_rows(self) -> float: ...
    @property
    def rows_per_second(self) -> float: ...
    @property
    def pass_seconds_left(self) -> float | None: ...
    @property
    def seconds_left(self) -> float | None: ...


class FitDisplay:
    """Lines on stderr for the running fits, drawn by a thread that lives as long as they do."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._fits: list[FitView] = []
        self._ended = Event()
        self._thread: Thread | None = None

    @contextmanager
    def showing(self, fit: FitView) -> Iterator[None]:
        """Show `fit` inside the ``with``, if somebody is there to see it."""
        if not somebody_watches():
            yield
            return
        self._add(fit)
        try:
            yield
        finally:
            self._remove(fit)

    def _add(self, fit: FitView) -> None:
        with self._lock:
            self._fits.append(fit)
            if self._thread is None:
                self._ended = Event()
                self._thread = Thread(
                    target=self._draw, args=(self._ended,), name="shoal-progress", daemon=True
                )
                self._thread.start()

    def _remove(self, fit: FitView) -> None:
        # Joined under the lock: the next display must not begin before this one has given the
        # terminal back.
        with self._lock:
            self._fits.remove(fit)
            if not self._fits and self._thread is not None:
                thread, self._thread = self._thread, None
                self._ended.set()
                thread.join()

    def _draw(self, ended: Event) -> None:
        if ended.wait(DELAY_SECONDS):
            return
        from rich.console import Console
        from rich.live import Live

        # A terminal that went away must not disturb the fit.
        with (
            suppress(OSError),
            Live(
                get_renderable=lambda: table_of(tuple(self._fits)),
                console=Console(stderr=True),
                auto_refresh=False,
                transient=True,
            ) as live,
        ):
            live.refresh()
            while not ended.wait(REFRESH_SECONDS):
                live.refresh()


def somebody_watches() -> bool:
    """Whether stderr is a terminal or this is a notebook that can show a live display."""
    stderr_is_terminal = bool(sys.stderr and sys.stderr.isatty())
    return stderr_is_terminal or (_in_notebook() and find_spec("ipywidgets") is not None)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def table_of(fits: tuple[FitView, ...]) -> "Table":
    """One line a fit: where it is, how fast, how long still."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for fit in fits:
        bar = ProgressBar(fit.n_rows, completed=fit.pass_rows, width=24, pulse=not fit.n_rows)
        table.add_row(fit.name, fit.position, bar, *figures(fit))
    return table


def figures(fit: FitView) -> tuple[str, str, str]:
    """Loss, speed, time left."""
    loss = "" if fit.loss is None else f"loss {fit.loss:.6g}"
    return loss, f"{rows(fit.rows_per_second)} {fit.unit}/s", time_left(fit)


def time_left(fit: FitView) -> str:
    """Of this pass, and at most of the fit: it may converge before ``max_iter``."""
    of_pass, of_fit = fit.pass_seconds_left, fit.seconds_left
    parts = [] if of_pass is None else [clock(of_pass)]
    parts += [] if of_fit is None else [f"fit < {clock(of_fit)}"]
    return f"left {', '.join(parts)}" if parts else ""


def rows(count: float) -> str:
    """A count to three digits, as ``12.3M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:.3g}"


def clock(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


display = FitDisplay()
