"""Sums of losses and gradients: exact in any split, near exact arithmetic, flagged on overflow."""

from dataclasses import replace

import numpy as np
import pytest
from tests.statistics.rows import FORMS, blobs, blocks, fold, fold_blocks, forms, weights

from shoal import _kernels, open_dataset
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
from shoal.statistics.target_codes import TargetCodes
from shoal.testing import check_statistic
from shoal.testing.bits import bits

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
    "binary": TargetCodes(np.array(["no", "yes"]), np.array([0.0, 1.0])),
    "margin": TargetCodes(np.array(["no", "yes"]), np.array([-1.0, 1.0])),
    "multinomial": TargetCodes(np.array([3, 5, 7, 11]), np.arange(4.0)),
}


def target_of(case, n_rows=N_ROWS):
    """Targets as a user holds them."""
    generator = np.random.default_rng(3)
    if case in CODES:
        return generator.choice(CODES[case].classes, n_rows)
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
    codes = CODES.get(case, TargetCodes())
    target = target_of(case, len(X))
    numbers = codes.codes if case in CODES else target
    return LossGradient.within(
        found,
        LOSSES[case][0],
        *model_of(case, X.shape[1]),
        shift,
        dtype=dtype,
        is_sparse=not isinstance(next(blocks(dataset)).X, np.ndarray),
        target_range=(float(np.min(numbers)), float(np.max(numbers))),
        codes=codes,
        **options,
    )


def expected_sums(case, X, weight, shift):
    """Sums by definition."""
    loss, n_outputs, _ = LOSSES[case]
    coef, intercept = model_of(case, X.shape[1])
    target = target_of(case, len(X))
    if case in CODES:
        target = CODES[case].codes[np.searchsorted(CODES[case].classes, target)]
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
