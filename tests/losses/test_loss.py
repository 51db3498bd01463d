"""What all losses of one raw prediction share: definition, derivatives, bounds, convexity."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.losses.reference import LOSSES, NOT_CONVEX, points

from shoal import _kernels
from shoal.exceptions import DataError
from shoal.losses import HalfBinomial, HalfSquaredError, Hinge

losses = pytest.mark.parametrize("name", LOSSES)


def away_from_corners(name, y, raw):
    """Points whose derivatives do not jump within a short step."""
    loss, _, _ = LOSSES[name]
    steps = [loss.hessian(y, raw + step) for step in (-1e-2, 0, 1e-2)]
    flat = [loss.gradient(y, raw + step) for step in (-1e-2, 1e-2)]
    if loss.has_hessian:
        return np.isclose(steps[0], steps[2], rtol=0.5) & np.isclose(steps[0], steps[1], rtol=0.5)
    return flat[0] == flat[1]


@losses
def test_values_are_those_of_the_definition(name):
    loss, definition, kind = LOSSES[name]
    y, raw = points(kind)
    exact = definition(y.astype(np.longdouble), raw.astype(np.longdouble))
    # Where terms cancel, an error in each of them is left: for one sign of y they add up. The
    # error of an exponential is that of its argument, up to 200 here.
    size = np.abs(exact) + np.abs(definition(y, raw)) + np.abs(definition(-y, raw))
    found = loss.value(y, raw)
    assert found.shape == raw.shape
    assert (np.abs(found - exact) <= 1e-13 * size).all()


@losses
def test_gradients_are_differences_of_the_definition(name):
    loss, definition, kind = LOSSES[name]
    y, raw = (part.astype(np.longdouble) for part in points(kind))
    keep = away_from_corners(name, y.astype(float), raw.astype(float))
    assert keep.mean() > 0.5
    y, raw = y[keep], raw[keep]
    step = np.longdouble(1e-6)
    difference = (definition(y, raw + step) - definition(y, raw - step)) / (2 * step)
    gradient = loss.gradient(y, raw)
    size = np.abs(difference) + np.abs(definition(y, raw)) + 1
    assert (np.abs(gradient - difference) / size).max() < 1e-9


@losses
def test_hessians_are_differences_of_gradients(name):
    loss, _, kind = LOSSES[name]
    y, raw = points(kind)
    keep = away_from_corners(name, y, raw)
    y, raw = y[keep], raw[keep]
    step = 1e-6
    difference = (loss.gradient(y, raw + step) - loss.gradient(y, raw - step)) / (2 * step)
    size = np.abs(difference) + np.abs(loss.gradient(y, raw)) + 1
    assert (np.abs(loss.hessian(y, raw) - difference) / size).max() < 1e-8
    assert loss.has_hessian == bool(np.any(loss.hessian(y, raw) != 0))


@losses
@pytest.mark.parametrize("far", [1e3, -1e3, 1e6, -1e6])
def test_far_predictions_stay_finite(name, far):
    loss, _, kind = LOSSES[name]
    y, _ = points(kind, 100)
    raw = np.full(100, far)
    for found in (loss.value(y, raw), loss.gradient(y, raw), loss.hessian(y, raw)):
        assert np.isfinite(found).all()
    assert np.isfinite(loss.inverse_link(raw)).all()


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in NOT_CONVEX])
@given(st.floats(-40, 40), st.floats(-40, 40), st.floats(0, 1), st.integers(0, 99))
def test_lies_below_its_chords_and_above_its_tangents(name, left, right, share, row):
    loss, _, kind = LOSSES[name]
    y = points(kind, 100)[0][row]
    between = share * left + (1 - share) * right
    at = loss.value(np.full(3, y), [left, right, between])
    slack = 1e-12 * (np.abs(at).max() + abs(y) * 40 + 1)
    assert at[2] <= share * at[0] + (1 - share) * at[1] + slack
    slope = loss.gradient([y], [left])[0]
    assert at[1] >= at[0] + slope * (right - left) - 1e-12 * (abs(slope) * 80 + 1) - slack


@losses
def test_bounds_are_reached_and_kept(name):
    loss, _, kind = LOSSES[name]
    y, raw = points(kind, 20_000)
    gradient, hessian = loss.gradient(y, raw), loss.hessian(y, raw)
    if loss.gradient_bound is not None:
        assert 0.99 * loss.gradient_bound < np.abs(gradient).max() <= loss.gradient_bound
    else:
        assert np.abs(gradient).max() > 4
    if loss.curvature_bound is not None:
        assert 0.99 * loss.curvature_bound < hessian.max() <= loss.curvature_bound
    elif loss.has_hessian:
        assert hessian.max() > 4


@losses
def test_every_build_gives_the_same_bits(name):
    loss, _, kind = LOSSES[name]
    y, raw = points(kind, 1001)
    found = []
    for build in _kernels.available_instruction_sets():
        terms = np.empty(1001), np.empty((1001, 1)), np.empty((1001, 1))
        _kernels.load(build).loss_terms(*loss.kernel, y, raw[:, None], *terms)
        found.append([term.tobytes() for term in terms])
    assert all(terms == found[0] for terms in found)


@losses
def test_is_an_immutable_value(name):
    loss, _, _ = LOSSES[name]
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert hash(loss) == hash(pickle.loads(pickle.dumps(loss)))
    with pytest.raises(AttributeError):
        loss.anything = 1


def test_targets_are_broadcast():
    found = HalfSquaredError().gradient([[1.0], [2.0]], np.zeros((2, 3)))
    np.testing.assert_array_equal(found, [[-1.0] * 3, [-2.0] * 3])


@pytest.mark.parametrize("loss", [HalfBinomial(), Hinge()])
def test_classes_out_of_the_domain_are_refused(loss):
    loss.check_target(np.array(loss.labels))
    with pytest.raises(DataError, match=r"got 2.*Encode the classes"):
        loss.check_target(np.array([1.0, 2.0]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "no_loss"}, "there is no loss called no_loss"),
        ({"target": np.zeros(2)}, "target has length 2, expected 3"),
        ({"value": np.zeros(2)}, "value has length 2, expected 3"),
        ({"gradient": np.zeros((3, 2))}, r"gradient has shape \(3, 2\), expected \(3, 1\)"),
        ({"hessian": np.zeros((2, 1))}, r"hessian has shape \(2, 1\), expected \(3, 1\)"),
    ],
)
def test_kernels_refuse_what_does_not_fit(change, message):
    arguments = {
        "loss": "huber",
        "parameter": 1.0,
        "target": np.zeros(3),
        "raw": np.ones((3, 1)),
        "value": np.zeros(3),
        "gradient": np.zeros((3, 1)),
        "hessian": np.zeros((3, 1)),
    }
    with pytest.raises(ValueError, match=message):
        _kernels.loss_terms(**arguments | change)
