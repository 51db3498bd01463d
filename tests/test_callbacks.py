"""What a fit tells while it runs."""

import io
import logging
import sys
import threading
from contextlib import contextmanager, redirect_stderr, suppress
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.callback import CallbackSupportMixin, ProgressBar, ScoringMonitor
from sklearn.pipeline import Pipeline
from tests.solvers.quadratic import Descent, quadratic

from shoal import _fit_display, callbacks
from shoal.callbacks import (
    FitBegan,
    FitEnded,
    FitListener,
    FitProgress,
    IterationEnded,
    fit_progress,
    logger,
    row_counter,
)
from shoal.solvers.driver import run


class Nearest(CallbackSupportMixin, RegressorMixin, BaseEstimator):
    """An estimator as Shoal's are: ``fit`` inside `fit_progress`, the loop left to `run`."""

    def __init__(self, max_iter=5, n_runs=1, verbose=0, fold=quadratic):
        self.max_iter, self.n_runs, self.verbose, self.fold = max_iter, n_runs, verbose, fold

    def fit(self, X, y=None):
        with fit_progress(
            self,
            n_rows=10,
            max_iter=self.max_iter,
            n_runs=self.n_runs,
            verbose=self.verbose,
            X=X,
            y=y,
        ) as progress:
            for _ in range(self.n_runs):
                state, self.status_, self.loss_curve_ = run(
                    Descent(np.zeros(2), max_iter=self.max_iter),
                    self.fold,
                    progress=progress,
                    attributes=lambda state: {"w_": state.w},
                )
        self.w_ = state.w
        return self

    def predict(self, X):
        return np.full(len(X), self.w_[0])


X, Y = np.zeros((10, 2)), np.ones(10)


class Recorder(FitListener):
    def __init__(self):
        self.events = []

    def on_event(self, event):
        self.events.append(event)


class ProtocolRecorder:
    """A callback by scikit-learn's protocol alone."""

    def __init__(self):
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.calls.append(("end", context.task_name, context.task_id))


def fail(w):
    raise ArithmeticError


def test_listeners_are_handed_typed_events():
    recorder = Recorder()
    Nearest(max_iter=2).set_callbacks(recorder).fit(X)
    began, first, second, ended = recorder.events
    assert began == FitBegan("Nearest", 10, 2)
    assert (first.n_iter, first.loss, first.n_rows) == (1, 1.0, 10)
    assert (second.n_iter, second.n_rows) == (2, 10)
    assert second.loss == pytest.approx(0.81)
    assert 0 < first.seconds + second.seconds <= ended.seconds
    assert ended == FitEnded("Nearest", 2, ended.seconds, 20, completed=True)


def test_a_listener_ends_the_fit():
    class StopBelow(FitListener):
        def on_event(self, event):
            return isinstance(event, IterationEnded) and event.loss < 0.7

    recorder = Recorder()
    model = Nearest(max_iter=50).set_callbacks(StopBelow(), recorder).fit(X)
    assert model.loss_curve_ == pytest.approx([1, 0.81, 0.6561])
    assert isinstance(recorder.events[-2], IterationEnded)
    assert recorder.events[-2].n_iter == 3


def test_a_failed_fit_is_told_and_torn_down():
    recorder, protocol = Recorder(), ProtocolRecorder()
    model = Nearest(fold=fail).set_callbacks(recorder, protocol)
    with pytest.raises(ArithmeticError):
        model.fit(X)
    assert isinstance(recorder.events[-1], FitEnded)
    assert not recorder.events[-1].completed
    assert protocol.calls[-1] == "teardown"
    assert row_counter() is callbacks._count_nothing
    model.set_params(fold=quadratic).fit(X)
    assert recorder.events[-1].completed


def test_scikit_learn_sees_a_tree_of_tasks():
    protocol = ProtocolRecorder()
    Nearest(max_iter=2).set_callbacks(protocol).fit(X)
    assert protocol.calls == [
        "setup",
        ("begin", "fit", 0),
        ("begin", "iteration", 0),
        ("end", "iteration", 0),
        ("begin", "iteration", 1),
        ("end", "iteration", 1),
        ("end", "fit", 0),
        "teardown",
    ]


def test_several_runs_are_a_level_of_the_tree():
    protocol = ProtocolRecorder()
    Nearest(max_iter=3, n_runs=2).set_callbacks(protocol).fit(X)
    begun = [call[1:] for call in protocol.calls if call[0] == "begin"]
    iterations = [("iteration", 0), ("iteration", 1), ("iteration", 2)]
    assert begun == [("fit", 0), ("run", 0), *iterations, ("run", 1), *iterations]
    assert sum(call[0] == "end" for call in protocol.calls) == len(begun)


def test_a_protocol_callback_ends_the_fit():
    class StopAtSecond(ProtocolRecorder):
        def on_fit_task_end(self, estimator, context):
            return context.task_name == "iteration" and context.task_id == 1

    model = Nearest(max_iter=50).set_callbacks(StopAtSecond()).fit(X)
    assert len(model.loss_curve_) == 2


def test_scikit_learns_monitor_scores_every_iteration():
    monitor = ScoringMonitor(scoring="neg_mean_absolute_error")
    Nearest(max_iter=3).set_callbacks(monitor).fit(X, Y)
    scores = [row["neg_mean_absolute_error"] for row in monitor.get_logs().data]
    assert scores == pytest.approx([-0.9, -0.81, -0.729])


def test_scikit_learns_bar_is_drawn_to_the_end(capsys):
    Nearest(max_iter=3).set_callbacks(ProgressBar()).fit(X)
    assert "Nearest - fit" in capsys.readouterr().out


def test_a_pipeline_hands_its_callbacks_down(capsys):
    pipeline = Pipeline([("nearest", Nearest(max_iter=3))])
    pipeline.set_callbacks(ProgressBar()).fit(X)
    assert "Nearest - fit" in capsys.readouterr().out


def test_nothing_is_written_by_default(capfd, caplog):
    Nearest().fit(X)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_verbose_logs_a_line_an_iteration(caplog):
    caplog.set_level(logging.INFO, "shoal")
    Nearest(max_iter=2, verbose=1).fit(X)
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("Nearest: iteration 1, loss 1, ")
    assert second.startswith("Nearest: iteration 2, loss 0.81, ")
    assert second.endswith(" rows/s")


@contextmanager
def unconfigured_logging():
    """Logging as in a new interpreter; no fixture, since pytest adds handlers after those."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logger, "handlers", [])
        patch.setattr(logger, "propagate", False)
        level = logger.level
        logger.setLevel(logging.NOTSET)
        yield
        logger.setLevel(level)


def test_verbose_is_seen_where_nobody_configured_logging(capsys):
    with unconfigured_logging():
        for _ in range(2):
            Nearest(max_iter=1, verbose=1).fit(X)
            out, err = capsys.readouterr()
            assert out == ""
            assert err.count("Nearest: iteration 1, loss 1, ") == 1


def test_verbose_leaves_configured_logging_alone(capsys):
    stream = io.StringIO()
    with unconfigured_logging():
        logger.addHandler(logging.StreamHandler(stream))
        for level in (logging.INFO, logging.ERROR):
            logger.setLevel(level)
            Nearest(max_iter=1, verbose=1).fit(X)
    assert capsys.readouterr().err == ""
    assert stream.getvalue().count("\n") == 1


def test_rows_are_counted_from_many_threads():
    with fit_progress(Nearest()) as progress:
        count = row_counter()
        threads = [
            threading.Thread(target=lambda: [count(3) for _ in range(2000)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (progress.n_rows_read, progress.pass_rows, progress.n_passes) == (48_000, 48_000, 1)
        row_counter()(5)
        assert (progress.n_rows_read, progress.pass_rows, progress.n_passes) == (48_005, 5, 2)


def test_rows_are_of_the_innermost_fit():
    with fit_progress(Nearest()) as outer:
        with fit_progress(Nearest()) as inner:
            row_counter()(2)
        row_counter()(3)
    assert (outer.n_rows_read, inner.n_rows_read) == (3, 2)


def test_rows_outside_a_fit_are_nobodys():
    row_counter()(10)
    with fit_progress(Nearest()) as progress:
        pass
    row_counter()(10)
    assert progress.n_rows_read == 0


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(callbacks, "monotonic", clock)
    return clock


def test_time_left_is_that_of_the_pass_and_of_all_iterations(clock):
    progress = FitProgress("Nearest", n_rows=1000, max_iter=10)
    assert progress.seconds_left is None
    assert progress.pass_seconds_left is None
    for n_iter in (1, 2):
        progress.begin_iteration()
        progress.begin_pass()
        clock.now += 4
        progress.count_rows(1000)
        progress.end_iteration(n_iter, 0.5)
    progress.begin_pass()
    clock.now += 1
    progress.count_rows(250)
    assert progress.rows_per_second == 250
    assert progress.pass_seconds_left == 3
    assert progress.seconds_left == 32


def drawn(*fits, width=120):
    console = Console(file=io.StringIO(), width=width)
    console.print(_fit_display.table_of(fits))
    return console.file.getvalue()


def test_a_line_says_where_a_fit_is(clock):
    outer, inner = FitProgress("KMeans", n_rows=4_000_000, max_iter=300), FitProgress("PCA")
    outer.begin_iteration()
    outer.begin_pass()
    clock.now += 2
    outer.count_rows(4_000_000)
    outer.end_iteration(1, 1234.5)
    outer.begin_pass()
    outer.count_rows(1_000_000)
    inner.begin_pass()
    first, second = drawn(outer, inner).splitlines()
    assert first.split("━")[0] == "KMeans  pass 2, iteration 1/300  "
    assert first.rstrip().endswith("  loss 1234.5  2.5M rows/s  left 0:01, fit < 9:58")
    assert second.startswith("PCA     pass 1 ")
    assert "0 rows/s" in second


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.4, "0:00"), (59.6, "1:00"), (3599, "59:59"), (36001, "10:00:01")]
)
def test_clock(seconds, expected):
    assert _fit_display.clock(seconds) == expected


class Terminal(io.StringIO):
    def isatty(self):
        return True


HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture
def terminal(monkeypatch, no_leaks):
    """Stands in for stderr inside ``with redirect_stderr(terminal)``: pytest has its own before."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(_fit_display, "DELAY_SECONDS", 0.0)
    monkeypatch.setattr(_fit_display, "REFRESH_SECONDS", 0.01)
    return Terminal()


def slowly(text, terminal, error=None):
    """A fold that ends when the terminal shows `text`."""

    def fold(w):
        for _ in range(1000):
            if text in terminal.getvalue():
                break
            threading.Event().wait(0.01)
        else:
            pytest.fail(f"{text!r} is not shown: {terminal.getvalue()!r}")
        if error:
            raise error
        return quadratic(w)

    return fold


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), ArithmeticError()])
def test_the_bar_appears_by_itself_and_gives_the_terminal_back(terminal, error):
    with redirect_stderr(terminal), suppress(KeyboardInterrupt, ArithmeticError):
        Nearest(fold=slowly("iteration 0/5", terminal, error)).fit(X)
    assert terminal.getvalue().count(HIDE_CURSOR) == terminal.getvalue().count(SHOW_CURSOR) == 1
    assert terminal.getvalue().rindex(SHOW_CURSOR) > terminal.getvalue().rindex("iteration")
    assert not any(thread.name == "shoal-progress" for thread in threading.enumerate())


def test_nested_fits_share_one_bar(terminal):
    with redirect_stderr(terminal), fit_progress(BaseEstimator()):
        Nearest(fold=slowly("Nearest", terminal)).fit(X)
        drawing = [t for t in threading.enumerate() if t.name == "shoal-progress"]
        assert len(drawing) == 1
    shown = terminal.getvalue()
    assert shown.count(HIDE_CURSOR) == 1
    assert shown.index("BaseEstimator") < shown.index("Nearest")


def test_lines_logged_meanwhile_stand_above_the_bar(terminal):
    with redirect_stderr(terminal), unconfigured_logging(), fit_progress(BaseEstimator()):
        Nearest(max_iter=2, verbose=1, fold=slowly("Nearest ", terminal)).fit(X)
    before, _, after = terminal.getvalue().partition("Nearest: iteration 1, loss 1, ")
    assert "BaseEstimator  pass 0" in before
    assert "BaseEstimator  pass 0" in after


def while_drawing(w):
    assert any(thread.name == "shoal-progress" for thread in threading.enumerate())
    return quadratic(w)


def test_short_fits_show_nothing(terminal, monkeypatch):
    monkeypatch.setattr(_fit_display, "DELAY_SECONDS", 60.0)
    with redirect_stderr(terminal):
        Nearest(fold=while_drawing).fit(X)
    assert terminal.getvalue() == ""


def test_scikit_learns_bar_takes_the_place_of_ours(capsys):
    model = Nearest(fold=while_drawing).set_callbacks(ProgressBar())
    with redirect_stderr(Terminal()), pytest.raises(AssertionError):
        model.fit(X)


def test_nobody_watches_a_pipe_or_a_closed_stream(monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert not _fit_display.somebody_watches()
    monkeypatch.setattr("sys.stderr", None)
    assert not _fit_display.somebody_watches()


@pytest.mark.parametrize("has_widgets", [True, False])
@pytest.mark.parametrize("shell", ["ZMQInteractiveShell", "TerminalInteractiveShell"])
def test_notebooks_that_can_show_a_live_display_are_watched(monkeypatch, shell, has_widgets):
    ipython = SimpleNamespace(get_ipython=type(shell, (), {}))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr(_fit_display, "find_spec", lambda name: ipython if has_widgets else None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    watched = shell == "ZMQInteractiveShell" and has_widgets
    assert _fit_display.somebody_watches() == watched


def test_where_nobody_listens_no_tasks_are_kept():
    with fit_progress(Nearest()) as progress:
        assert progress.tasks is None
    with fit_progress(Nearest().set_callbacks(Recorder())) as progress:
        assert progress.tasks is not None
