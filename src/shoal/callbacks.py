"""What a fit tells while it runs: callbacks, log lines, progress bar.

Every iterative estimator takes callbacks by scikit-learn's own protocol,
``estimator.set_callbacks(...)``: scikit-learn's (`sklearn.callback.ProgressBar`,
`sklearn.callback.ScoringMonitor`), yours, or one derived from `FitListener`, which is handed
typed events.

Without any callback, a fit that runs longer than two seconds in a terminal or notebook shows a
progress bar on stderr, gone when the fit ends. ``verbose=1`` logs a line an iteration at level
INFO to the logger ``"shoal"``, whose level becomes INFO unless it has one; where no logging is
configured, those lines go to stderr.
"""

import logging
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeAlias

from shoal._fit_display import FitView, display

if TYPE_CHECKING:
    from sklearn.callback import CallbackContext

__all__ = ["Event", "FitBegan", "FitEnded", "FitListener", "FitProgress", "IterationEnded"]

logger = logging.getLogger("shoal")


@dataclass(frozen=True, slots=True)
class FitBegan:
    """A fit begins.

    Parameters
    ----------
    estimator : str
        Name of the estimator's class.
    n_rows : int or None
        Rows of a pass, where known.
    max_iter : int or None
        Most iterations that the fit may take; None where there are no iterations.
    """

    estimator: str
    n_rows: int | None
    max_iter: int | None


@dataclass(frozen=True, slots=True)
class IterationEnded:
    """An iteration has ended.

    Parameters
    ----------
    estimator : str
        Name of the estimator's class.
    n_iter : int
        Iterations so far, those before a resumed checkpoint included.
    loss : float or None
        Objective before this iteration's step, where the method knows it.
    seconds : float
        Time this iteration took.
    n_rows : int
        Rows read in this iteration, by all its passes.
    """

    estimator: str
    n_iter: int
    loss: float | None
    seconds: float
    n_rows: int

    @property
    def rows_per_second(self) -> float:
        return _rate(self.n_rows, self.seconds)


@dataclass(frozen=True, slots=True)
class FitEnded:
    """A fit has ended.

    Parameters
    ----------
    estimator : str
        Name of the estimator's class.
    n_iter : int
        Iterations taken.
    seconds : float
        Time the fit took.
    n_rows : int
        Rows read, by all passes.
    completed : bool
        False where an exception ended it.
    """

    estimator: str
    n_iter: int
    seconds: float
    n_rows: int
    completed: bool


Event: TypeAlias = FitBegan | IterationEnded | FitEnded


class FitListener(ABC):
    """A callback that is handed typed events; for ``set_callbacks`` of Shoal's estimators.

    Derive and implement `on_event`. It is called in the thread that called ``fit``. On an
    estimator that is not Shoal's it hears nothing.

    Examples
    --------
    >>> from shoal.callbacks import FitListener, IterationEnded
    >>> class StopBelow(FitListener):
    ...     def __init__(self, loss):
    ...         self.loss = loss
    ...     def on_event(self, event):
    ...         return isinstance(event, IterationEnded) and event.loss < self.loss
    >>> StopBelow(0.5).on_event(IterationEnded("KMeans", 3, 0.25, 1.0, 1000))
    True
    """

    @abstractmethod
    def on_event(self, event: Event) -> bool | None:
        """Take note of `event`; True at an `IterationEnded` ends the fit there."""

    def setup(self, estimator: Any, context: "CallbackContext") -> None:
        """Listen to the fit that begins; scikit-learn's hook."""
        if isinstance(fit := _running.get(), FitProgress):
            fit.listeners.append(self)

    def teardown(  # noqa: B027
        self, estimator: Any, context: "CallbackContext"
    ) -> None:
        """Do nothing; scikit-learn's hook."""

    def on_fit_task_begin(  # noqa: B027
        self, estimator: Any, context: "CallbackContext"
    ) -> None:
        """Do nothing; scikit-learn's hook."""

    def on_fit_task_end(  # noqa: B027
        self, estimator: Any, context: "CallbackContext"
    ) -> None:
        """Do nothing; scikit-learn's hook."""


class FitProgress:
    """How far a fit is; tells its listeners, the log and scikit-learn's callbacks.

    `fit_progress` makes them. One made by hand counts, and tells nobody.

    Parameters
    ----------
    name : str
        Name of the estimator's class.
    n_rows : int, default=None
        Rows of a pass.
    max_iter : int, default=None
        Most iterations of a run.
    n_runs : int, default=1
        How many times a solver is run (``n_init``).
    verbose : bool, default=False
        Log a line an iteration.
    """

    def __init__(
        self,
        name: str,
        *,
        n_rows: int | None = None,
        max_iter: int | None = None,
        n_runs: int = 1,
        verbose: bool = False,
    ) -> None:
        self.name, self.n_rows, self.max_iter, self.n_runs = name, n_rows, max_iter, n_runs
        self.verbose = verbose
        self.listeners: list[FitListener] = []
        self.tasks: _Tasks | None = None
        self.loss: float | None = None
        self.unit = "rows"
        self.n_iter = self.n_passes = self.pass_rows = self.n_rows_read = 0
        self._lock = Lock()
        self._began = self._iteration_began = monotonic()
        self._pass_began = self._previous_began = self._began
        self._rows_before_iteration = self._previous_rows = self._n_timed = 0
        self._iteration_seconds = 0.0

    @contextmanager
    def run(self) -> Iterator[None]:
        """One run of a solver."""
        tasks = self.tasks if self.n_runs > 1 else None
        with tasks.task("run", self.max_iter) if tasks else nullcontext():
            yield

    def begin_iteration(self) -> None:
        """Mark that a step begins."""
        self._iteration_began, self._rows_before_iteration = monotonic(), self.n_rows_read
        if self.tasks:
            self.tasks.begin("iteration")

    def end_iteration(
        self,
        n_iter: int,
        loss: float | None,
        attributes: Callable[[], Mapping[str, Any]] | None = None,
    ) -> bool:
        """Mark that a step has ended; True if a callback wants the fit to end here.

        ``attributes()`` are the fitted attributes of an estimator that ended here, for
        callbacks that ask for a ``fitted_estimator``.
        """
        seconds = monotonic() - self._iteration_began
        n_rows = self.n_rows_read - self._rows_before_iteration
        self.n_iter, self.loss = n_iter, loss
        self._n_timed, self._iteration_seconds = (
            self._n_timed + 1,
            self._iteration_seconds + seconds,
        )
        event = IterationEnded(self.name, n_iter, loss, seconds, n_rows)
        if self.verbose:
            _log(event)
        wants_end = self.tell(event)
        return bool(self.tasks and self.tasks.end(attributes)) or wants_end

    def tell(self, event: Event) -> bool:
        """Hand `event` to every listener; whether one of them wants the fit to end."""
        wishes = [listener.on_event(event) for listener in self.listeners]
        return any(wishes)

    def ended(self, *, completed: bool) -> FitEnded:
        """The event that this fit ends now."""
        seconds = monotonic() - self._began
        return FitEnded(self.name, self.n_iter, seconds, self.n_rows_read, completed)

    def begin_pass(self) -> None:
        """Mark that the rows are read once more."""
        with self._lock:
            self._previous_rows, self._previous_began = self.pass_rows, self._pass_began
            self.pass_rows, self._pass_began = 0, monotonic()
            self.n_passes += 1

    def count_rows(self, n_rows: int) -> None:
        """Count rows read; safe in any thread."""
        with self._lock:
            self.pass_rows += n_rows
            self.n_rows_read += n_rows

    @property
    def position(self) -> str:
        """Which pass and, where there are iterations, which iteration."""
        if not self.max_iter:
            return f"pass {self.n_passes}" + (f", iteration {self.n_iter}" if self.n_iter else "")
        return f"pass {self.n_passes}, iteration {self.n_iter}/{self.max_iter}"

    @property
    def rows_per_second(self) -> float:
        """Over this pass and the one before: one alone may only just have begun."""
        with self._lock:
            rows = self._previous_rows + self.pass_rows
            return _rate(rows, monotonic() - self._previous_began)

    @property
    def pass_seconds_left(self) -> float | None:
        """Time left within this pass, once its speed is known."""
        speed = self.rows_per_second
        return max(self.n_rows - self.pass_rows, 0) / speed if self.n_rows and speed else None

    @property
    def seconds_left(self) -> float | None:
        """Time left if every iteration up to ``max_iter`` is taken, at the mean time of one."""
        if self.max_iter is None or not self._n_timed:
            return None
        return (self.max_iter - self.n_iter) * self._iteration_seconds / self._n_timed


class _Tasks:
    """scikit-learn's tree of tasks: the fit, its runs if several, their iterations."""

    def __init__(self, estimator: Any, root: "CallbackContext", data: Mapping[str, Any]) -> None:
        self._estimator, self._data = estimator, data
        self._path: list[CallbackContext] = []
        self._enter(root)

    def begin(self, name: str, max_subtasks: int | None = 0) -> None:
        self._enter(self._path[-1].subcontext(task_name=name, max_subtasks=max_subtasks))

    def end(self, attributes: Callable[[], Mapping[str, Any]] | None = None) -> bool:
        task = self._path.pop()
        return bool(
            task.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=attributes, **self._data
            )
        )

    @contextmanager
    def task(self, name: str, max_subtasks: int | None) -> Iterator[None]:
        self.begin(name, max_subtasks)
        yield
        self.end()

    def _enter(self, task: "CallbackContext") -> None:
        self._path.append(task)
        task.call_on_fit_task_begin(estimator=self._estimator, **self._data)


class PassCounter(FitView, Protocol):
    """What is told of passes, and shown: a fit, or other long work."""

    def begin_pass(self) -> None: ...
    def count_rows(self, n_rows: int) -> None: ...


_running: ContextVar[PassCounter | None] = ContextVar("shoal_running_fit", default=None)


@contextmanager
def counted_by(progress: PassCounter, *, is_shown: bool = True) -> Iterator[None]:
    """Count the passes inside the ``with`` by `progress`, and let the progress bar show it."""
    token = _running.set(progress)
    try:
        with display.showing(progress) if is_shown else nullcontext():
            yield
    finally:
        _running.reset(token)


@contextmanager
def fit_progress(
    estimator: Any,
    *,
    n_rows: int | None = None,
    max_iter: int | None = None,
    n_runs: int = 1,
    verbose: int | bool = 0,
    X: Any = None,
    y: Any = None,
) -> Iterator[FitProgress]:
    """Everything that a fit tells, around the body of ``fit``.

    Inside the ``with``, passes are counted (`row_counter`), the progress bar appears by itself,
    and the estimator's callbacks are called; they are torn down at its end, however it ends.

    Parameters
    ----------
    estimator : estimator
        What is fitted; its callbacks are heard if it has scikit-learn's CallbackSupportMixin.
    n_rows, max_iter, n_runs, verbose
        As of `FitProgress`.
    X, y
        Handed as they are to callbacks that ask for them.
    """
    progress = FitProgress(
        type(estimator).__name__,
        n_rows=n_rows,
        max_iter=max_iter,
        n_runs=n_runs,
        verbose=bool(verbose),
    )
    if verbose:
        make_log_visible()
    data = {"X": X, "y": y}
    is_shown = not _has_own_bar(estimator)
    with counted_by(progress, is_shown=is_shown), _callbacks_called(estimator, progress, data):
        yield progress


@contextmanager
def _callbacks_called(
    estimator: Any, progress: FitProgress, data: Mapping[str, Any]
) -> Iterator[None]:
    """The first and the last calls of a fit to its callbacks."""
    from sklearn.callback import CallbackSupportMixin, with_callbacks

    completed = False
    try:
        if isinstance(estimator, CallbackSupportMixin):
            n_tasks = progress.max_iter if progress.n_runs == 1 else progress.n_runs
            # Calls setup of every callback, so listeners join here.
            root = estimator._init_callback_context(max_subtasks=n_tasks)
            if _callbacks(estimator):
                progress.tasks = _Tasks(estimator, root, data)
        progress.tell(FitBegan(progress.name, progress.n_rows, progress.max_iter))
        yield
        if progress.tasks:
            progress.tasks.end()
        completed = True
    finally:
        progress.tell(progress.ended(completed=completed))
        # The decorator tears down what _init_callback_context has set up.
        with_callbacks(lambda _: None)(estimator)


def row_counter() -> Callable[[int], None]:
    """Begin a pass of the fit that runs in this thread; the function that counts its rows.

    Engines call it once a pass, in the thread that asked for the pass, and call the result with
    the number of rows of each block, from any thread. Where no fit runs it does nothing.
    """
    fit = _running.get()
    if fit is None:
        return _count_nothing
    fit.begin_pass()
    return fit.count_rows


def _count_nothing(n_rows: int) -> None:
    """Count for nobody."""


def _has_own_bar(estimator: Any) -> bool:
    """Whether scikit-learn's progress bar is set: two would overwrite each other."""
    return any(type(callback).__name__ == "ProgressBar" for callback in _callbacks(estimator))


def _callbacks(estimator: Any) -> Sequence[Any]:
    """The callbacks that are set on an estimator, or on one that it is a part of."""
    callbacks: Sequence[Any] = getattr(estimator, "_skl_callbacks", ())
    return callbacks


def _rate(amount: float, seconds: float) -> float:
    return amount / seconds if seconds > 0 else 0.0


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is now: notebooks and the progress bar replace it."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        pass


def make_log_visible() -> None:
    """Send the log to stderr if nobody has configured logging."""
    if not logger.hasHandlers():
        logger.addHandler(_StandardError())
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


def _log(event: IterationEnded) -> None:
    loss = "" if event.loss is None else f", loss {event.loss:.6g}"
    logger.info(
        "%s: iteration %d%s, %.3g s, %.3g rows/s",
        event.estimator,
        event.n_iter,
        loss,
        event.seconds,
        event.rows_per_second,
    )
