"""A small solver for tests: gradient descent on ``|w - 1|^2 / 2``; and a fit to kill."""

import os
import signal
from dataclasses import dataclass
from itertools import count

import numpy as np

from shoal.callbacks import row_counter
from shoal.solvers import driver
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.solver import Solver, SolverState, Status
from shoal.testing.solver import fingerprint


@dataclass(frozen=True, slots=True)
class DescentState(SolverState):
    w: np.ndarray
    largest_step: float | None


class Descent(Solver[DescentState]):
    def __init__(self, w, *, max_iter=30, tol=0.0):
        self.w, self.max_iter, self.tol = w, max_iter, tol

    def init(self, fold):
        return DescentState(0, None, self.w, None)

    def step(self, state, fold):
        loss, gradient = fold(state.w)
        step = 0.1 * gradient
        return DescentState(state.n_iter + 1, loss, state.w - step, float(abs(step).max()))

    def terminate(self, state):
        if state.largest_step is not None and state.largest_step <= self.tol:
            return Status.CONVERGED
        return Status.MAX_ITER if state.n_iter >= self.max_iter else None


def quadratic(w):
    """The "pass": loss and gradient at `w`, over ten rows."""
    row_counter()(10)
    return float(((w - 1) ** 2).sum() / 2), w - 1


def fit(path, end, trap=None):
    """A fit for a process of its own, which writes to the file `end` where it got to.

    `trap` is a function of `os` to die in: its name, whether before or after its work, and at
    which call.
    """
    # Every step is written, so that a killer finds a write in progress most of the time.
    driver.INTERVAL_SECONDS, driver.LARGEST_SHARE = 0.0, float("inf")
    if trap:
        set_trap(*trap)
    solver = Descent(np.random.default_rng(0).normal(size=20_000), max_iter=15)
    checkpoint = Checkpoint(path, data="rows", parameters="descent")
    state, status, loss_curve = driver.run(solver, quadratic, checkpoint=checkpoint)
    curve = " ".join(loss.hex() for loss in loss_curve)
    end.write_text(f"{fingerprint(state)} {status.name} {curve}")


def set_trap(name, moment, calls):
    left, original = count(calls, -1), getattr(os, name)

    def deadly(*arguments):
        last = next(left) == 1
        if last and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        original(*arguments)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(os, name, deadly)
