"""The binary log loss against scikit-learn, and its digits where it is small."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from shoal.exceptions import DataError
from shoal.losses import HalfBinomial

LOSS = HalfBinomial()


def test_mean_is_scikit_learns_log_loss():
    generator = np.random.default_rng(0)
    y, raw = generator.integers(0, 2, 300), generator.normal(0, 3, 300)
    assert LOSS.value(y, raw).mean() == pytest.approx(log_loss(y, LOSS.inverse_link(raw)))


@pytest.mark.parametrize("raw", [20.0, 40.0, 600.0])
def test_small_losses_keep_their_digits(raw):
    tail = np.exp(-raw)
    for y, signed in ((1.0, raw), (0.0, -raw)):
        assert LOSS.value(y, signed) == pytest.approx(tail, rel=1e-8)
        assert abs(LOSS.gradient(y, signed)) == pytest.approx(tail, rel=1e-8)
        assert LOSS.hessian(y, signed) == pytest.approx(tail, rel=1e-8)


def test_probabilities_are_the_logistic_function():
    raw = np.linspace(-50, 50, 101)
    np.testing.assert_allclose(LOSS.inverse_link(raw), 1 / (1 + np.exp(-raw)), rtol=1e-14)
    np.testing.assert_array_equal(LOSS.inverse_link([-1e3, 1e3]), [0.0, 1.0])


def test_targets_between_classes_are_taken_and_others_refused():
    LOSS.check_target(np.array([0.0, 0.25, 1.0]))
    for bad in (-0.5, 1.5, np.nan):
        with pytest.raises(DataError, match="HalfBinomial needs targets"):
            LOSS.check_target(np.array([0.0, bad]))
