"""The conformance suite of solvers."""

import tempfile
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np

from shoal import _archive
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.driver import run
from shoal.solvers.solver import Fold, Solver, SolverState, State, Status


def check_solver(solver: Solver[State], fold: Fold, *, max_steps: int = 1000) -> None:
    """Check that a solver keeps the promises of `Solver`, on one fit that must end.

    The fit must take a step or more and end within `max_steps` with a `Status`; from the same
    state, a step gives the same bits and leaves that state as it was; ``terminate`` always gives
    the same answer and changes nothing; and every state, written to a checkpoint and read back,
    is the same and leads to the same end and the same loss curve.

    Parameters
    ----------
    solver : Solver
        What is checked.
    fold : callable
        One pass over data of a few rows: the number of passes grows with the square of the
        number of steps.
    max_steps : int, default=1000
        Steps within which the fit must end.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which and at which step.
    """
    states = list(_states(solver, fold, max_steps))
    assert len(states) > 1, "the fit ended before its first step"
    for state, following in pairwise(states):
        _check_step(solver, fold, state, following)
    for position in range(len(states)):
        _check_resume(solver, fold, states, position)


def fingerprint(state: SolverState) -> str:
    """What two states share exactly if they are the same to the last bit."""
    return _archive.fingerprint({field.name: getattr(state, field.name) for field in fields(state)})


def _states(solver: Solver[State], fold: Fold, max_steps: int) -> Iterator[State]:
    """Every state of an uninterrupted fit."""
    state = solver.init(fold)
    yield state
    while _status(solver, state) is None:
        assert state.n_iter < max_steps, f"the fit has not ended after {max_steps} steps"
        following = solver.step(state, fold)
        assert type(following) is type(state), f"step {state.n_iter} gave another type of state"
        assert following.n_iter == state.n_iter + 1, f"step {state.n_iter} miscounts n_iter"
        state = following
        yield state


def _status(solver: Solver[State], state: State) -> Status | None:
    """What ``terminate`` says, having checked that it is pure."""
    before = fingerprint(state)
    status = solver.terminate(state)
    assert status is None or isinstance(status, Status), f"terminate gave {status!r}"
    assert solver.terminate(state) is status, "terminate changes its mind about the same state"
    assert fingerprint(state) == before, "terminate changes the state"
    return status


def _check_step(solver: Solver[State], fold: Fold, state: State, following: State) -> None:
    before = fingerprint(state)
    again = solver.step(state, fold)
    assert fingerprint(again) == fingerprint(following), f"step {state.n_iter} is not repeatable"
    assert fingerprint(state) == before, f"step {state.n_iter} changes the state it started from"


def _check_resume(solver: Solver[State], fold: Fold, states: list[State], position: int) -> None:
    """From the checkpoint of one state, the fit must reach the last."""
    losses = [float(state.loss) for state in states[1:] if state.loss is not None]
    n_known = sum(state.loss is not None for state in states[1 : position + 1])
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder, "checkpoint"), data="", parameters="")
        checkpoint.save(states[position], losses[:n_known])
        restored, _ = checkpoint.load()
        assert fingerprint(restored) == fingerprint(states[position]), (
            f"the state of step {position} is not read back as it was written"
        )
        last, status, loss_curve = run(solver, fold, checkpoint=checkpoint)
    assert fingerprint(last) == fingerprint(states[-1]), f"resumed at step {position}: other end"
    assert status is solver.terminate(states[-1]), f"resumed at step {position}: other status"
    assert np.array_equal(loss_curve, losses), f"resumed at step {position}: other loss curve"
