"""Losses on rows that are not learnt from: against losses of arrays."""

import numpy as np
import pytest

from shoal import LocalEngine, open_dataset
from shoal.linear_model.held_out_loss import HeldOutLoss
from shoal.losses import HalfBinomial, HalfSquaredError
from shoal.solvers.sgd_replica import held_out_rows

rng = np.random.default_rng(0)
X, y, weight = rng.normal(size=(2000, 3)), rng.normal(size=2000), rng.random(2000)
COEF, INTERCEPT = np.array([[1.0, 2.0, 3.0]]), np.array([0.5])


@pytest.fixture
def engine():
    with LocalEngine(2) as engine:
        yield engine


def test_is_the_mean_of_the_rows_held_out(engine):
    dataset = open_dataset(X, target=y, sample_weight=weight)
    found = HeldOutLoss(HalfSquaredError(), (-1.0, 1.0), 7, 0.25)(
        COEF, INTERCEPT, lambda statistic: engine.fold(dataset, statistic)
    )
    (block,) = dataset.read(dataset.cells[0], 2000)
    rows = held_out_rows(block, 7, 0.25)
    loss = (X @ COEF[0] + 0.5 - y) ** 2 / 2
    np.testing.assert_allclose(found, np.average(loss[rows], weights=weight[rows]), rtol=1e-12)


def test_is_that_of_all_rows_that_are_given(engine):
    dataset = open_dataset(X, target=y)
    found = HeldOutLoss(HalfSquaredError(), (-1.0, 1.0), 7, 0.25, dataset)(
        COEF, INTERCEPT, lambda statistic: pytest.fail("the data of the fit are not asked")
    )
    np.testing.assert_allclose(found, ((X @ COEF[0] + 0.5 - y) ** 2).mean() / 2, rtol=1e-12)


def test_outputs_add_up(engine):
    classes = rng.integers(0, 3, 2000)
    coef, intercept = rng.normal(size=(3, 3)), rng.normal(size=3)
    found = HeldOutLoss(HalfBinomial(), (0.0, 1.0), 7, 0.0, open_dataset(X, target=classes))(
        coef, intercept, lambda statistic: pytest.fail("the data of the fit are not asked")
    )
    raw = X @ coef.T + intercept
    sides = classes[:, None] == np.arange(3)
    expected = (np.logaddexp(0, raw) - sides * raw).sum(axis=1).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
