"""Penalised least squares from moments: where each way of solving is taken."""

import numpy as np
import pytest
from tests.linear_model.losses import dataset, moments, rows_of

from shoal.linear_model.normal_equations import NormalEquations
from shoal.linear_model.problem import LinearModel


def solved(equations, l1, l2, *, positive=False, max_iter=1000, tol=1e-12):
    n_outputs = equations.c.shape[1]
    start = LinearModel(np.zeros((n_outputs, 4)), np.zeros(n_outputs))
    return equations.solve(l1, l2, positive=positive, start=start, max_iter=max_iter, tol=tol)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.0, 0.5), (0.3, 0.0), (0.3, 0.5)])
@pytest.mark.parametrize("positive", [True, False])
def test_the_slope_is_balanced(fit_intercept, l1, l2, positive):
    some = dataset(2)
    X, y, weight = rows_of(some)
    found = solved(NormalEquations.of(moments(some, 2), fit_intercept), l1, l2, positive=positive)
    coef, intercept = found.model.coef, found.model.intercept
    residual = X @ coef.T + intercept - y
    share = weight[:, None] / weight.sum()
    slope = (share * residual).T @ X + l2 * coef
    on = coef != 0
    np.testing.assert_allclose(slope[on], -l1 * np.sign(coef[on]), atol=1e-5)
    assert np.all((slope if positive else np.abs(slope))[~on] >= (-l1 - 1e-6 if positive else 0))
    assert np.all(np.abs(slope[~on]) <= l1 + 1e-6) or positive
    if fit_intercept:
        np.testing.assert_allclose((share * residual).sum(axis=0), 0, atol=1e-9)
    else:
        np.testing.assert_array_equal(intercept, 0)
    assert found.is_converged
    assert (found.n_iter == 1) == (l1 == 0)


def test_too_few_sweeps():
    found = solved(NormalEquations.of(moments(dataset()), True), 0.01, 0.0, max_iter=1)
    assert not found.is_converged
    assert found.gaps[0] > 0
