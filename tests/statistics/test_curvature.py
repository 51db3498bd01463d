"""Hessians of linear models against their definition and differences of gradients."""

import numpy as np
import pytest
from tests.statistics.rows import FORMS, blobs, fold, forms, weights

from shoal.losses import HalfBinomial, HalfMultinomial, HalfPoisson, HalfSquaredError
from shoal.statistics.curvature import Curvature
from shoal.statistics.range import Range
from shoal.testing import check_statistic

SHIFT = np.array([0.5, -1.0, 0.25])
CASES = {
    "squares": (HalfSquaredError(), 1, np.linspace(-3, 3, 150)),
    "counts": (HalfPoisson(), 1, np.arange(150) % 5.0),
    "two classes": (HalfBinomial(), 1, np.arange(150) % 2.0),
    "classes": (HalfMultinomial(), 3, np.arange(150) % 3.0),
}


def dataset_of(case, form="C", weight=None):
    dataset = forms(blobs(), weight)[form]
    target = CASES[case][2]
    if form == "dropped":
        target = np.insert(target, [0, 75, 150], 0.0)
    return type(dataset)(
        dataset.source,
        dataset.features,
        target,
        dataset.sample_weight,
        dataset.dtype,
        dataset.missing,
    )


def model_of(case):
    generator = np.random.default_rng(5)
    n_outputs = CASES[case][1]
    return generator.normal(0, 0.2, (n_outputs, 3)), generator.normal(0, 0.2, n_outputs)


def curvature_of(case, dataset, shift=SHIFT):
    loss, _, target = CASES[case]
    return Curvature.within(
        fold(Range(3), dataset),
        loss,
        *model_of(case),
        shift,
        dtype=dataset.dtype,
        target_range=(float(target.min()), float(target.max())),
    )


def expected(case, X, weight, shift=SHIFT):
    """The Hessian by definition, from the losses' own."""
    loss, n_outputs, target = CASES[case]
    coef, intercept = model_of(case)
    Z = np.column_stack([X - shift, np.ones(len(X))])
    raw = Z @ np.column_stack([coef, intercept]).T
    if loss.is_multinomial:
        p = loss.inverse_link(raw)
        h = p[:, :, None] * (np.eye(n_outputs) - p[:, None, :])
    else:
        h = loss.hessian(target, raw[:, 0])[:, None, None]
    full = np.einsum("i,ikl,ia,ib->kalb", weight, h, Z, Z)
    order = [*(k * 4 + a for k in range(n_outputs) for a in range(3))]
    order += [k * 4 + 3 for k in range(n_outputs)]
    return full.reshape(4 * n_outputs, -1)[np.ix_(order, order)]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_is_the_hessian_in_any_split(case, form, weighted):
    weight = weights() if weighted else np.ones(150)
    shift = np.zeros(3) if form == "CSR" else SHIFT
    dataset = dataset_of(case, form, weight if weighted else None)
    statistic = curvature_of(case, dataset, shift)
    check_statistic(statistic, dataset)
    exact = expected(case, blobs(), weight, shift)
    np.testing.assert_allclose(
        fold(statistic, dataset), exact, rtol=0, atol=1e-12 * np.abs(exact).max()
    )
