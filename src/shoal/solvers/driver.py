"""The one loop of every iterative fit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic

from shoal.callbacks import FitProgress
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.solver import Fold, Solver, State, Status

#: A checkpoint is written at most this often ...
INTERVAL_SECONDS = 2.0
#: ... and writing takes at most this part of the time.
LARGEST_SHARE = 0.05


def run(
    solver: Solver[State],
    fold: Fold,
    *,
    checkpoint: Checkpoint | None = None,
    progress: FitProgress | None = None,
    attributes: Callable[[State], Mapping[str, Any]] | None = None,
) -> tuple[State, Status, list[float]]:
    """Step `solver` until it terminates, or a callback ends the fit.

    Parameters
    ----------
    solver : Solver
        What is run.
    fold : callable
        One pass over the data.
    checkpoint : Checkpoint, default=None
        Where to go on from and what to keep up to date. It is written at most every two seconds,
        in at most 5 % of the time, and once more when the run ends, be it by an exception
        or Ctrl-C; the file stays, so that a larger ``max_iter`` can go on from it.
    progress : FitProgress, default=None
        What is told of every step.
    attributes : callable, default=None
        The fitted attributes that a state gives, for callbacks that look at the model.

    Returns
    -------
    state : SolverState
        The last state.
    status : Status
        Why the run ended.
    loss_curve : list of float
        The loss of every step that has one; the same whether or not the run was interrupted.

    Raises
    ------
    CheckpointError
        The checkpoint is damaged, or of other data or parameters.
    FileError
        The checkpoint cannot be written.
    """
    progress = progress or FitProgress(type(solver).__name__)
    keeper = _Keeper[State](checkpoint)
    with progress.run():
        try:
            trace = keeper.begin() or keeper.keep(_Trace(solver.init(fold), ()))
            while (status := solver.terminate(trace.state)) is None:
                progress.begin_iteration()
                trace = keeper.keep(trace.after(solver.step(trace.state, fold)))
                if _end_iteration(progress, trace.state, attributes):
                    status = solver.terminate(trace.state) or Status.STOPPED
                    break
        finally:
            keeper.write()
    return trace.state, status, list(trace.loss_curve)


def _end_iteration(
    progress: FitProgress,
    state: State,
    attributes: Callable[[State], Mapping[str, Any]] | None,
) -> bool:
    fitted = None if attributes is None else lambda: attributes(state)
    return progress.end_iteration(state.n_iter, state.loss, fitted)


@dataclass(frozen=True, slots=True)
class _Trace(Generic[State]):
    """A state and the losses on the way to it: one value, so that Ctrl-C finds them in step."""

    state: State
    loss_curve: tuple[float, ...]

    def after(self, state: State) -> "_Trace[State]":
        curve = self.loss_curve if state.loss is None else (*self.loss_curve, float(state.loss))
        return _Trace(state, curve)


class _Keeper(Generic[State]):
    """Keeps a checkpoint up to date, in a bounded part of the time."""

    def __init__(self, checkpoint: Checkpoint | None) -> None:
        self._checkpoint = checkpoint
        self._unwritten: _Trace[State] | None = None
        self._due = monotonic() + INTERVAL_SECONDS

    def begin(self) -> _Trace[State] | None:
        """Where to go on from."""
        saved = self._checkpoint.begin() if self._checkpoint else None
        return None if saved is None else _Trace(*saved)

    def keep(self, trace: _Trace[State]) -> _Trace[State]:
        """`trace`, to be written now if it is time to, else later."""
        self._unwritten = trace
        if monotonic() >= self._due:
            self.write()
        return trace

    def write(self) -> None:
        """Write the newest trace, unless it is written."""
        if self._checkpoint and self._unwritten:
            began = monotonic()
            self._checkpoint.save(self._unwritten.state, self._unwritten.loss_curve)
            self._unwritten, ended = None, monotonic()
            self._due = ended + max(INTERVAL_SECONDS, (ended - began) / LARGEST_SHARE)
