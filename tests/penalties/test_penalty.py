"""What all penalties share: derivatives, convexity, proximal steps that minimise."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from shoal.penalties import L1, L2, ElasticNet, NoPenalty

PENALTIES = [
    NoPenalty(),
    L2(0.7),
    L1(0.7),
    ElasticNet(0.7, 0.3),
    ElasticNet(0.7, 0.0),
    ElasticNet(0.7, 1.0),
    L1(0.0),
]

penalties = pytest.mark.parametrize("penalty", PENALTIES, ids=str)
COEF = np.random.default_rng(0).normal(size=(3, 4))


def smooth_value(penalty, coef):
    """Value of the part that gradients are of."""
    return penalty.curvature / 2 * float(np.sum(coef**2))


@penalties
def test_gradients_are_differences_of_the_smooth_part(penalty):
    gradient = penalty.gradient(COEF)
    assert gradient.shape == COEF.shape
    for at in np.ndindex(COEF.shape):
        step = np.zeros_like(COEF)
        step[at] = 1e-4
        higher, lower = (smooth_value(penalty, COEF + sign * step) for sign in (1, -1))
        assert gradient[at] == pytest.approx((higher - lower) / 2e-4, abs=1e-9)


@penalties
def test_smooth_penalties_are_nothing_but_their_smooth_part(penalty):
    rest = penalty.value(COEF) - smooth_value(penalty, COEF)
    moved = not np.array_equal(penalty.prox(COEF, 0.1), COEF)
    assert penalty.is_smooth == (abs(rest) < 1e-12) == (not moved)


@penalties
@given(st.floats(-5, 5), st.floats(1e-3, 4))
def test_proximal_steps_minimise(penalty, start, step):
    def objective(w):
        w = np.array([w])
        rest = penalty.value(w) - smooth_value(penalty, w)
        return rest + float((w[0] - start) ** 2) / (2 * step)

    found = float(penalty.prox(np.array([start]), step)[0])
    best = minimize_scalar(objective, bounds=(-6, 6), options={"xatol": 1e-10}, method="bounded")
    assert objective(found) <= best.fun + 1e-12
    assert found == pytest.approx(best.x, abs=1e-4)


@penalties
def test_steps_may_differ_between_coefficients(penalty):
    steps = np.random.default_rng(1).uniform(0.1, 2, COEF.shape)
    each = [penalty.prox(COEF[at : at + 1], step[None]) for at, step in enumerate(steps)]
    np.testing.assert_array_equal(penalty.prox(COEF, steps), np.concatenate(each))


@penalties
@given(st.floats(-9, 9), st.floats(-9, 9), st.floats(0, 1))
def test_lies_below_its_chords(penalty, left, right, share):
    at = [penalty.value(np.array([w])) for w in (left, right, share * left + (1 - share) * right)]
    assert at[2] <= share * at[0] + (1 - share) * at[1] + 1e-12 * (1 + max(at))


@penalties
def test_is_an_immutable_value(penalty):
    assert pickle.loads(pickle.dumps(penalty)) == penalty
    with pytest.raises(AttributeError):
        penalty.anything = 1
    before = COEF.copy()
    penalty.prox(COEF, 1.0)
    np.testing.assert_array_equal(COEF, before)
