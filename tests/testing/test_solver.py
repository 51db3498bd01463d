"""The conformance suite of solvers passes a good one and finds each fault."""

from dataclasses import replace

import numpy as np
import pytest
from tests.solvers.quadratic import Descent, DescentState, quadratic

from shoal.solvers.solver import Status
from shoal.testing.solver import check_solver

W = np.array([3.0, -2.0])


def test_a_good_solver_passes():
    check_solver(Descent(W, max_iter=6), quadratic)
    check_solver(Descent(W, max_iter=1000, tol=0.1), quadratic)


class ChangesItsState(Descent):
    def step(self, state, fold):
        following = super().step(state, fold)
        state.w[:] = following.w
        return following


class KeepsSomething(Descent):
    n_calls = 0

    def step(self, state, fold):
        self.n_calls += 1
        following = super().step(state, fold)
        return replace(following, w=following.w + self.n_calls)


class Miscounts(Descent):
    def step(self, state, fold):
        return replace(super().step(state, fold), n_iter=state.n_iter + 2)


class NeverEnds(Descent):
    def terminate(self, state):
        return None


class EndsAtOnce(Descent):
    def terminate(self, state):
        return Status.CONVERGED


class SaysTrue(Descent):
    def terminate(self, state):
        return state.n_iter == 3 or None


class ChangesItsMind(Descent):
    asked = False

    def terminate(self, state):
        self.asked = not self.asked
        return super().terminate(state) or (Status.CONVERGED if not self.asked else None)


class MarksItsState(Descent):
    def terminate(self, state):
        state.w[:] += 1
        return super().terminate(state)


class HidesSomething(DescentState):
    """A state with something beside its fields, which a checkpoint cannot know of."""

    hidden = 0.0


class GoesOnFromWhatItHides(Descent):
    def init(self, fold):
        return HidesSomething(0, None, self.w, None)

    def step(self, state, fold):
        following = super().step(state, fold)
        following = HidesSomething(following.n_iter, following.loss, following.w + state.hidden, 1)
        object.__setattr__(following, "hidden", state.hidden + 1)
        return following


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (ChangesItsState, "step 0 changes the state it started from|step 0 is not repeatable"),
        (KeepsSomething, "step 0 is not repeatable"),
        (Miscounts, "step 0 miscounts n_iter"),
        (NeverEnds, "has not ended after 6 steps"),
        (EndsAtOnce, "ended before its first step"),
        (SaysTrue, "terminate gave True"),
        (ChangesItsMind, "terminate changes its mind"),
        (MarksItsState, "terminate changes the state"),
        (GoesOnFromWhatItHides, "resumed at step 1: other end"),
    ],
)
def test_a_faulty_solver_is_found_out(solver, message):
    with pytest.raises(AssertionError, match=message):
        check_solver(solver(W.copy(), max_iter=5), quadratic, max_steps=6)
