"""The quantile loss against scikit-learn, and what it is for."""

import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

from shoal.exceptions import ParameterError
from shoal.losses import Quantile


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_mean_is_scikit_learns_pinball_loss(q):
    y, raw = np.random.default_rng(0).normal(size=(2, 100))
    expected = mean_pinball_loss(y, raw, alpha=q)
    np.testing.assert_allclose(Quantile(q).value(y, raw).mean(), expected)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_a_constant_is_best_at_the_quantile(q):
    y = np.random.default_rng(0).normal(size=1001)
    best = y[np.argmin([Quantile(q).value(y, constant).sum() for constant in y])]
    assert best == np.quantile(y, q)


@pytest.mark.parametrize("q", [0.0, 1.0, np.nan])
def test_a_share_that_is_no_quantile_is_refused(q):
    with pytest.raises(ParameterError, match="quantile must lie between 0 and 1"):
        Quantile(q)
