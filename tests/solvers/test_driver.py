"""The loop of every iterative fit."""

import numpy as np
import pytest
from tests.solvers.quadratic import Descent, quadratic

from shoal.callbacks import FitListener, IterationEnded, fit_progress
from shoal.exceptions import CheckpointError, FileError
from shoal.solvers import driver
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.driver import run
from shoal.solvers.solver import Status

W = np.array([3.0, -2.0, 0.5])


def checkpoint_at(path, **made_for):
    return Checkpoint(path, **{"data": "rows", "parameters": "descent", **made_for})


class InterruptedAt:
    """A fold that raises at its n-th pass."""

    def __init__(self, n, error):
        self.left, self.error = n, error

    def __call__(self, w):
        self.left -= 1
        if self.left < 0:
            raise self.error
        return quadratic(w)


def assert_same(outcome, expected):
    (state, status, curve), (expected_state, expected_status, expected_curve) = outcome, expected
    assert (state.n_iter, state.loss, status) == (
        expected_state.n_iter,
        expected_state.loss,
        expected_status,
    )
    assert state.w.tobytes() == expected_state.w.tobytes()
    assert curve == expected_curve


def test_runs_to_the_closed_form():
    state, status, loss_curve = run(Descent(W, max_iter=20), quadratic)
    assert status is Status.MAX_ITER
    assert state.n_iter == 20
    np.testing.assert_allclose(state.w, 1 + 0.9**20 * (W - 1), rtol=1e-14)
    expected = [0.81**i * ((W - 1) @ (W - 1)) / 2 for i in range(20)]
    np.testing.assert_allclose(loss_curve, expected, rtol=1e-12)


def test_ends_where_the_solver_converges():
    state, status, loss_curve = run(Descent(W, max_iter=10_000, tol=1e-6), quadratic)
    assert status is Status.CONVERGED
    assert state.n_iter == len(loss_curve) < 200
    assert state.largest_step <= 1e-6


def test_takes_no_step_where_there_is_none_to_take():
    state, status, loss_curve = run(Descent(W, max_iter=0), quadratic)
    assert (state.n_iter, state.loss, status, loss_curve) == (0, None, Status.MAX_ITER, [])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("lost")])
@pytest.mark.parametrize("n_passes", [0, 1, 7, 19])
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, error, n_passes):
    solver, path = Descent(W, max_iter=20), tmp_path / "checkpoint"
    with pytest.raises(type(error)):
        run(solver, InterruptedAt(n_passes, error), checkpoint=checkpoint_at(path))
    resumed = InterruptedAt(20 - n_passes, AssertionError("a pass was repeated"))
    outcome = run(solver, resumed, checkpoint=checkpoint_at(path))
    assert_same(outcome, run(solver, quadratic))


def test_a_finished_run_is_not_run_again(tmp_path):
    solver, checkpoint = Descent(W, max_iter=5), checkpoint_at(tmp_path / "checkpoint")
    first = run(solver, quadratic, checkpoint=checkpoint)
    written = checkpoint.path.stat()
    assert_same(run(solver, InterruptedAt(0, AssertionError()), checkpoint=checkpoint), first)
    assert checkpoint.path.stat().st_mtime_ns == written.st_mtime_ns


def test_a_larger_max_iter_goes_on_from_the_end(tmp_path):
    checkpoint = checkpoint_at(tmp_path / "checkpoint")
    run(Descent(W, max_iter=5), quadratic, checkpoint=checkpoint)
    fold = InterruptedAt(7, AssertionError("more passes than the difference"))
    outcome = run(Descent(W, max_iter=12), fold, checkpoint=checkpoint)
    assert_same(outcome, run(Descent(W, max_iter=12), quadratic))


def test_a_refused_checkpoint_is_left_alone(tmp_path):
    path = tmp_path / "checkpoint"
    run(Descent(W), quadratic, checkpoint=checkpoint_at(path))
    content = path.read_bytes()
    with pytest.raises(CheckpointError, match="other data"):
        run(Descent(W), quadratic, checkpoint=checkpoint_at(path, data="other rows"))
    assert path.read_bytes() == content


def test_a_checkpoint_that_cannot_be_written_is_found_out_before_the_work(tmp_path):
    fold = InterruptedAt(0, AssertionError("work began"))
    with pytest.raises(FileError, match=r"cannot write .*missing"):
        run(Descent(W), fold, checkpoint=checkpoint_at(tmp_path / "missing" / "checkpoint"))


class Clock:
    """Time that goes on only where the test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_checkpoints_take_at_most_a_twentieth_of_the_time(tmp_path, monkeypatch):
    clock, checkpoint, written = Clock(), checkpoint_at(tmp_path / "checkpoint"), []
    monkeypatch.setattr(driver, "monotonic", clock)

    def save(state, loss_curve):
        written.append((clock.now, state.n_iter))
        clock.now += 1.0

    def fold(w):
        clock.now += 0.5
        return quadratic(w)

    monkeypatch.setattr(checkpoint, "save", save)
    run(Descent(W, max_iter=100), fold, checkpoint=checkpoint)
    # The first after two seconds, the others 20 write times apart, and one at the end.
    assert written == [(2.0, 4), (23.0, 44), (44.0, 84), (53.0, 100)]


class StopAt(FitListener):
    def __init__(self, n_iter):
        self.n_iter = n_iter

    def on_event(self, event):
        return isinstance(event, IterationEnded) and event.n_iter == self.n_iter


@pytest.mark.parametrize(("n_iter", "expected"), [(3, Status.STOPPED), (20, Status.MAX_ITER)])
def test_a_callback_ends_the_run(n_iter, expected):
    with fit_progress(object()) as progress:
        progress.listeners.append(StopAt(n_iter))
        state, status, loss_curve = run(Descent(W, max_iter=20), quadratic, progress=progress)
    assert (state.n_iter, status, len(loss_curve)) == (n_iter, expected, n_iter)


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path):
    solver, checkpoint = Descent(W, max_iter=20), checkpoint_at(tmp_path / "checkpoint")
    with fit_progress(object()) as progress:
        progress.listeners.append(StopAt(7))
        run(solver, quadratic, checkpoint=checkpoint, progress=progress)
    assert_same(run(solver, quadratic, checkpoint=checkpoint), run(solver, quadratic))
