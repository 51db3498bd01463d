"""`check_loss` passes every loss there is, and finds what is wrong with others."""

from dataclasses import dataclass

import numpy as np
import pytest
from tests.losses.reference import LOSSES, points

from shoal.losses import HalfBinomial, HalfMultinomial, Hinge, Huber
from shoal.losses import HalfSquaredError as Squared
from shoal.testing import check_loss


@pytest.mark.parametrize("name", LOSSES)
def test_losses_pass(name):
    loss, _, kind = LOSSES[name]
    check_loss(loss, *points(kind, 2000, spread=1.0))


def test_a_loss_of_several_classes_passes():
    generator = np.random.default_rng(0)
    check_loss(
        HalfMultinomial(), generator.integers(0, 4, 500), 3 * generator.normal(size=(500, 4))
    )


@dataclass(frozen=True)
class SteepGradient(Squared):
    def gradient(self, y, raw):
        return 1.001 * super().gradient(y, raw)


class OtherFactor(Squared):
    def value(self, y, raw):
        return 2 * super().value(y, raw)


class LargeHessian(Squared):
    def hessian(self, y, raw):
        return 1.001 * super().hessian(y, raw)


class CornerDenied(Hinge):
    is_smooth = True


class TightGradient(Huber):
    @property
    def gradient_bound(self):
        return 0.5 * self.epsilon


class TightCurvature(HalfBinomial):
    @property
    def curvature_bound(self):
        return 0.2


class HessianDenied(Squared):
    has_hessian = False


class Overflows(HalfBinomial):
    def value(self, y, raw):
        with np.errstate(over="ignore"):
            return np.log1p(np.exp(np.asarray(raw, dtype=float))) - y * np.asarray(raw)


class FallingPrediction(HalfBinomial):
    def inverse_link(self, raw):
        return 1 - super().inverse_link(raw)


class OneValue(Squared):
    def value(self, y, raw):
        return super().value(y, raw).mean(keepdims=True)


class Unequal(Squared):
    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)


@pytest.mark.parametrize(
    ("loss", "kind", "message"),
    [
        (SteepGradient(), "real", "the gradient is not the slope"),
        (OtherFactor(), "real", "the gradient is not the slope"),
        (LargeHessian(), "real", "the hessian is not the slope"),
        (CornerDenied(), "sign", "the hessian is not the slope"),
        (TightGradient(1.0), "real", "a gradient of .* is over its bound"),
        (TightCurvature(), "share", "a second derivative is over its bound"),
        (HessianDenied(), "real", "has_hessian is False"),
        (Overflows(), "share", "not finite at raw predictions of 1000"),
        (FallingPrediction(), "share", "predictions fall"),
        (OneValue(), "real", "not one value a row"),
        (Unequal(), "real", "a pickled loss is another one"),
    ],
)
def test_what_is_wrong_is_found(loss, kind, message):
    y, raw = points(kind, 2000, spread=1.0)
    raw[:10] = y[:10]  # corners of losses of margins
    with pytest.raises(AssertionError, match=message):
        check_loss(loss, y, raw)
