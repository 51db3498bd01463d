"""Mean losses by passes against their definition; bounds that are of no use."""

import numpy as np
import pytest
from tests.linear_model.losses import dataset, fold_over, rows_of, summary

from shoal.linear_model import row_loss
from shoal.linear_model.row_loss import RowLoss
from shoal.losses import HalfGamma, HalfPoisson, HalfSquaredError


@pytest.mark.parametrize("loss", [HalfSquaredError(), HalfPoisson(), HalfGamma()])
@pytest.mark.parametrize("weighted", [False, True])
def test_is_the_mean_over_the_rows(loss, weighted):
    some = dataset(weighted=weighted)
    X, y, weight = rows_of(some)
    found = summary(some)
    coef, at_shift = np.array([[0.1, -0.2, 0.05, 0.1]]), np.array([1.5])
    Z, share = X - found.shift, weight / weight.sum()
    raw = (Z @ coef.T + at_shift)[:, 0]
    means = RowLoss(loss, found).evaluate_hessian(coef, at_shift, fold_over(some))
    slope = share * loss.gradient(y[:, 0], raw)
    assert means.value == pytest.approx(share @ loss.value(y[:, 0], raw), rel=1e-10)
    np.testing.assert_allclose(means.by_coef[0], slope @ Z, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(means.by_intercept[0], slope.sum(), rtol=1e-8, atol=1e-10)
    Z = np.column_stack([Z, np.ones(len(Z))])
    hessian = Z.T * (share * loss.hessian(y[:, 0], raw)) @ Z
    np.testing.assert_allclose(means.hessian, hessian, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_sampled_hessian_of_few_rows_is_that_of_all(weighted):
    some = dataset(weighted=weighted)
    loss = RowLoss(HalfGamma(), summary(some))
    coef, at_shift = np.array([[0.1, -0.2, 0.05, 0.1]]), np.array([1.5])
    exact = loss.evaluate_hessian(coef, at_shift, fold_over(some)).hessian
    found = loss.sampled_hessian(coef, at_shift, fold_over(some))
    np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-12)


def test_the_sampled_hessian_of_many_rows_is_near_that_of_all(monkeypatch):
    monkeypatch.setattr(row_loss, "LEAST_SAMPLE", 200)
    some = dataset()
    loss = RowLoss(HalfPoisson(), summary(some))
    coef, at_shift = np.array([[0.1, -0.2, 0.05, 0.1]]), np.array([0.5])
    exact = loss.evaluate_hessian(coef, at_shift, fold_over(some)).hessian
    found = loss.sampled_hessian(coef, at_shift, fold_over(some))
    eigenvalues = np.linalg.eigvals(np.linalg.solve(exact, found))
    assert (np.abs(eigenvalues - 1) > 1e-6).any()
    assert np.abs(np.log(eigenvalues)).max() < 0.7


def counted(some):
    passes = []

    def fold(statistic):
        passes.append(statistic)
        return fold_over(some)(statistic)

    return fold, passes


def test_a_bound_far_too_large_is_tightened_by_a_second_pass():
    some = dataset()
    loss, (fold, passes) = RowLoss(HalfPoisson(), summary(some)), counted(some)
    gentle = loss.evaluate(np.zeros((1, 4)), np.zeros(1), fold)
    assert len(passes) == 1
    assert np.isfinite(gentle.value)
    # Opposite coefficients of alike columns: far apart in bounds, close in predictions.
    X, y, weight = rows_of(some)
    direction = np.linalg.svd(X - X.mean(axis=0))[2][-1]
    steep = loss.evaluate(40 * direction[None], np.ones(1), fold)
    assert len(passes) == 3
    Z = X - loss.summary.shift
    slope = weight / weight.sum() * (np.exp(40 * Z @ direction + 1) - y[:, 0])
    np.testing.assert_allclose(steep.by_coef[0], slope @ Z, rtol=1e-9)


def test_a_model_beyond_all_numbers_has_an_infinite_loss():
    some = dataset()
    loss = RowLoss(HalfPoisson(), summary(some))
    means = loss.evaluate(np.full((1, 4), 1e4), np.zeros(1), fold_over(some))
    assert means.value == np.inf
