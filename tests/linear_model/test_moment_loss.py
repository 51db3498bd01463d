"""Squared error from second moments against the rows."""

import numpy as np
import pytest
from tests.linear_model.losses import dataset, moments, rows_of

from shoal.linear_model.moment_loss import MomentLoss


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_is_the_mean_over_the_rows(n_outputs, weighted):
    some = dataset(n_outputs, weighted=weighted)
    X, y, weight = rows_of(some)
    found = moments(some, n_outputs)
    generator = np.random.default_rng(0)
    coef, at_mean = generator.normal(size=(n_outputs, 4)), generator.normal(size=n_outputs)
    residual = (X - found.mean) @ coef.T + at_mean - y
    share = weight[:, None] / weight.sum()
    means = MomentLoss(found).evaluate_hessian(coef, at_mean, None)
    assert means.value == pytest.approx((share * residual**2).sum() / 2, rel=1e-12)
    by_coef = (share * residual).T @ (X - found.mean)
    np.testing.assert_allclose(means.by_coef, by_coef, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(means.by_intercept, (share * residual).sum(axis=0), rtol=1e-10)
    gram = (share * (X - found.mean)).T @ (X - found.mean)
    expected = np.eye(5 * n_outputs)
    for k in range(n_outputs):
        expected[4 * k : 4 * k + 4, 4 * k : 4 * k + 4] = gram
    np.testing.assert_allclose(means.hessian, expected, rtol=1e-11, atol=1e-12)
