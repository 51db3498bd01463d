"""Half deviances against scikit-learn's deviances, and their domains."""

import numpy as np
import pytest
from sklearn.metrics import mean_gamma_deviance, mean_poisson_deviance, mean_tweedie_deviance

from shoal.exceptions import DataError, ParameterError
from shoal.losses import HalfGamma, HalfPoisson, HalfTweedie

DEVIANCES = [
    (HalfPoisson(), mean_poisson_deviance),
    (HalfGamma(), mean_gamma_deviance),
    *[
        (HalfTweedie(p), lambda y, mean, p=p: mean_tweedie_deviance(y, mean, power=p))
        for p in (-1.0, 0.0, 1.0, 1.5, 2.0, 3.0)
    ],
]


@pytest.mark.parametrize(("loss", "deviance"), DEVIANCES)
def test_twice_the_excess_over_the_best_is_scikit_learns_deviance(loss, deviance):
    generator = np.random.default_rng(0)
    y, raw = generator.gamma(2.0, 1.0, 200), generator.normal(0, 1, 200)
    excess = loss.value(y, raw) - loss.value(y, np.log(y))
    assert 2 * excess.mean() == pytest.approx(deviance(y, loss.inverse_link(raw)), rel=1e-10)


@pytest.mark.parametrize(("loss", "deviance"), DEVIANCES)
def test_is_least_where_the_mean_is_the_target(loss, deviance):
    y = np.array([0.1, 1.0, 30.0])
    gradient, hessian = loss.gradient(y, np.log(y)), loss.hessian(y, np.log(y))
    assert np.all(np.abs(gradient) <= 1e-13 * hessian)
    assert np.all(hessian > 0)


@pytest.mark.parametrize(
    ("loss", "good", "bad"),
    [
        (HalfPoisson(), 0.0, -1.0),
        (HalfGamma(), 0.1, 0.0),
        (HalfTweedie(1.5), 0.0, -1.0),
        (HalfTweedie(2), 0.1, 0.0),
        (HalfTweedie(1.5), 0.0, np.nan),
    ],
)
def test_targets_out_of_the_domain_are_refused(loss, good, bad):
    loss.check_target(np.array([good, 2.0]))
    with pytest.raises(DataError, match=f"{type(loss).__name__}.* needs targets y >"):
        loss.check_target(np.array([good, bad]))


def test_powers_below_one_take_any_target():
    HalfTweedie(0).check_target(np.array([-3.0]))


@pytest.mark.parametrize("power", [0.5, np.nan, np.inf])
def test_powers_without_a_distribution_are_refused(power):
    with pytest.raises(ParameterError, match="power must not lie between 0 and 1"):
        HalfTweedie(power)
