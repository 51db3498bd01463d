"""Sums of losses and gradients: exact in any split, near exact arithmetic, flagged on overflow."""

from dataclasses import replace

import numpy as np
import pytest
from tests.statistics.rows import FORMS, blobs, blocks, fold, forms, weights

from shoal import open_dataset
from shoal.data.target_classes import TargetClasses
from shoal.losses import (
    EpsilonInsensitive,
    HalfBinomial,
    HalfMultinomial,
    HalfPoisson,
    HalfSquaredError,
    Hinge,
)
from shoal.statistics.loss_gradient import LossGradient
from shoal.statistics.range import Range
from shoal.testing import check_statistic

N_ROWS, N_FEATURES = 150, 3
LOSSES = {
    "regression": (HalfSquaredError(), 1, 1),
    "two targets": (EpsilonInsensitive(0.3), 2, 2),
    "two outputs": (HalfSquaredError(), 2, 1),
    "counts": (HalfPoisson(), 1, 1),
    "binary": (HalfBinomial(), 1, 1),
    "margin": (Hinge(), 1, 1),
    "multinomial": (HalfMultinomial(), 4, 1),
}
CODES = {
    "binary": TargetClasses(np.array(["no", "yes"]), np.array([0.0, 1.0])),
    "margin": TargetClasses(np.array(["no", "yes"]), np.array([-1.0, 1.0])),
    "multinomial": TargetClasses(np.array([3, 5, 7, 11]), np.arange(4.0)),
}


def target_of(case, n_rows=N_ROWS):
    """Targets as a user holds them."""
    generator = np.random.default_rng(3)
    if case in CODES:
        return generator.choice(CODES[case].labels, n_rows)
    n_targets = LOSSES[case][2]
    return np.abs(generator.normal(0, 2, (n_rows, 2) if n_targets == 2 else n_rows))


def model_of(case, n_features=N_FEATURES):
    generator = np.random.default_rng(4)
    n_outputs = LOSSES[case][1]
    return generator.normal(0, 0.2, (n_outputs, n_features)), generator.normal(0, 1, n_outputs)


def with_target(dataset, X, target):
    """The same dataset with a target; rows that are to be dropped get one too."""
    if dataset.n_rows > len(X):
        target = np.insert(target, [0, len(X) // 2, len(X)], target[0], axis=0)
    return replace(dataset, target=target)


def statistic_of(case, dataset, X, shift, dtype=np.float64, **options):
    found = fold(Range(dataset.n_features), dataset)
    numbers = CODES[case].codes if case in CODES else target_of(case, len(X))
    return LossGradient.within(
        found,
        LOSSES[case][0],
        *model_of(case, X.shape[1]),
        shift,
        dtype=dtype,
        is_sparse=not isinstance(next(blocks(dataset)).X, np.ndarray),
        target_range=(float(np.min(numbers)), float(np.max(numbers))),
        **options,
    )


def expected_sums(case, X, weight, shift):
    """Sums by definition."""
    loss, _, _ = LOSSES[case]
    coef, intercept = model_of(case, X.shape[1])
    target = target_of(case, len(X))
    if case in CODES:
        target = CODES[case].codes[np.searchsorted(CODES[case].labels, target)]
    z = X.astype(np.longdouble) - shift
    raw = (z @ coef.T + intercept).astype(np.float64)
    if not loss.is_multinomial:
        target = np.broadcast_to(target.reshape(len(X), -1), raw.shape)
    w = np.ones(len(X)) if weight is None else weight
    value = loss.value(target, raw).reshape(len(X), -1).astype(np.longdouble)
    g = loss.gradient(target, raw).astype(np.longdouble) * w[:, None]
    return (w[:, None] * value).sum(), g.T @ z, g.sum(axis=0), np.abs(g).max()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", LOSSES)
def test_is_the_sum_in_any_split(case, form, weighted):
    X = blobs()
    weight = weights() if weighted else None
    dataset = with_target(forms(X, weight)[form], X, target_of(case))
    if case in CODES:
        dataset = dataset.with_classes(CODES[case])
    shift = np.array([0.5, -1.0, 2.0])
    statistic = statistic_of(case, dataset, X, shift)
    check_statistic(statistic, dataset)
    found = fold(statistic, dataset)
    value, gradient, intercept_gradient, largest = expected_sums(case, X, weight, shift)
    assert not found.overflowed
    assert found.value == pytest.approx(float(value), rel=1e-13)
    scale = largest * np.abs(X - shift).max(axis=0)
    assert np.all(np.abs(found.gradient - gradient) <= 1e-13 * scale)
    np.testing.assert_allclose(
        found.intercept_gradient, intercept_gradient.astype(float), atol=1e-13 * float(largest)
    )
    assert found.largest_gradient == pytest.approx(float(largest), rel=1e-12)
    assert found.weight == pytest.approx(N_ROWS if weight is None else weight.sum(), rel=1e-15)


def binary(X, seed=3):
    """Rows with a target of 0 and 1."""
    target = np.random.default_rng(seed).integers(0, 2, len(X)).astype(np.float64)
    return replace(open_dataset(X), target=target), target


def within(dataset, loss, coef, shift=None, dtype=np.float64, target_range=(0.0, 1.0), **options):
    return LossGradient.within(
        fold(Range(dataset.n_features), dataset),
        loss,
        np.atleast_2d(coef),
        np.zeros(1),
        np.zeros(dataset.n_features) if shift is None else shift,
        dtype=dtype,
        is_sparse=False,
        target_range=target_range,
        **options,
    )


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_float32_rows_lose_no_more_than_float32_has_lost(offset):
    X = (blobs(300) + offset).astype(np.float32)
    dataset, target = binary(X)
    coef, shift = np.array([[0.3, -0.2, 0.1]]), X.mean(axis=0, dtype=np.float64)
    check_statistic(within(dataset, HalfBinomial(), coef, shift, np.float32), dataset)
    found = fold(within(dataset, HalfBinomial(), coef, shift, np.float32), dataset)
    z = X.astype(np.longdouble) - shift
    gradient = HalfBinomial().gradient(target, (z @ coef[0]).astype(np.float64))
    error = np.abs(found.gradient[0] - gradient @ z)
    # Each value carries an error of 2^-25 of itself; the pass adds 2^-29 of that at most.
    assert np.all(error <= 2.0**-53 * len(X) * np.abs(X).max() + 1e-12)


def test_float64_rows_are_centred_before_digits_are_lost():
    X = np.round(blobs(500) * 2**10) / 2**10 + 1e9
    dataset, target = binary(X)
    coef, shift = np.array([[0.3, -0.2, 0.1]]), np.full(3, 1e9)
    found = fold(within(dataset, HalfBinomial(), coef, shift), dataset)
    z = (X - 1e9).astype(np.longdouble)
    gradient = HalfBinomial().gradient(target, (z @ coef[0]).astype(np.float64))
    assert np.abs(found.gradient[0] - gradient @ z).max() <= 1e-11


def test_a_bound_that_is_too_small_shows_and_a_larger_one_helps():
    X = blobs()
    dataset = replace(open_dataset(X), target=np.full(len(X), 100.0))
    loss, coef, target_range = HalfSquaredError(), [1.0, 0.0, 0.0], (100.0, 100.0)
    small = within(dataset, loss, coef, target_range=target_range, bound=1.0)
    check_statistic(small, dataset)
    found = fold(small, dataset)
    assert found.overflowed
    assert found.value == np.inf
    assert np.isnan(found.gradient).all()
    assert np.isnan(found.intercept_gradient).all()
    assert found.largest_gradient == np.abs(X[:, 0] - 100.0).max()
    bound = found.largest_gradient
    again = fold(within(dataset, loss, coef, target_range=target_range, bound=bound), dataset)
    assert not again.overflowed
    assert again.value == pytest.approx(((X[:, 0] - 100) ** 2).sum() / 2, rel=1e-14)


def test_without_a_bound_nothing_overflows():
    X = blobs()
    dataset, _ = binary(X)
    for loss in (HalfSquaredError(), HalfPoisson(), EpsilonInsensitive(), HalfBinomial()):
        for size in (0.0, 1.0, 30.0):
            found = fold(within(dataset, loss, np.full(3, size)), dataset)
            assert not found.overflowed, (loss, size)
            assert np.isfinite(found.value)


def test_a_prediction_beyond_all_numbers_overflows():
    dataset, _ = binary(blobs())
    found = fold(within(dataset, HalfSquaredError(), [1e200, -1e200, 1e200]), dataset)
    assert found.overflowed
    assert found.value == np.inf
