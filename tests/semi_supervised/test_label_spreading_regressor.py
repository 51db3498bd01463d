"""Spreading of numbers against its closed form, and against the spreading of labels."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from tests.semi_supervised.rows import blobs

from shoal.data.open import open_dataset
from shoal.neighbors import KNeighborsRegressor
from shoal.semi_supervised import LabelSpreading, LabelSpreadingRegressor
from shoal.semi_supervised.affinity import NeighborAffinity, normalised

EXACT = {"n_neighbors": 9, "tol": 1e-13, "max_iter": 10_000}


def curve(n_rows=600, share=0.05):
    """A spiral, and how far along it rows are; known of a share of them."""
    generator = np.random.default_rng(0)
    t = generator.uniform(0, 9, n_rows)
    arms = np.column_stack([t * np.cos(2 * t), t * np.sin(2 * t)])
    X = arms + generator.normal(0, 0.02, (n_rows, 2))
    truth = 100 * t + 1e4
    return X, truth, np.where(generator.random(n_rows) < share, truth, np.nan)


@pytest.mark.parametrize("alpha", [0.3, 0.95])
def test_is_an_average_by_the_kernel(alpha):
    X, _, y = curve(200)
    model = LabelSpreadingRegressor(alpha=alpha, **EXACT).fit(X, y)
    S = normalised(NeighborAffinity.of(open_dataset(X), 9).among_rows()).toarray()
    K = (1 - alpha) * np.linalg.inv(np.eye(200) - alpha * S)
    known = ~np.isnan(y)
    reached = K[:, known].sum(axis=1) > 1e-9
    mass = K[:, known].sum(axis=1)
    expected = K[reached][:, known] @ y[known] / mass[reached]
    np.testing.assert_allclose(model.transduction_[reached], expected, rtol=1e-7)
    np.testing.assert_allclose(model.mass_, mass, atol=1e-10)


@pytest.mark.parametrize("alpha", [0.2, 0.9])
def test_of_two_values_it_is_the_probability_of_the_second(alpha):
    X, _, y = blobs(200, n_classes=2, apart=1.0)
    numbers = LabelSpreadingRegressor(alpha=alpha, **EXACT).fit(X, np.where(y < 0, np.nan, y))
    labels = LabelSpreading(alpha=alpha, **EXACT).fit(X, y)
    reached = numbers.mass_ > 1e-9
    assert reached.sum() > 100
    np.testing.assert_allclose(
        numbers.transduction_[reached], labels.label_distributions_[reached, 1], atol=1e-9
    )


def test_follows_a_curve():
    X, truth, y = curve()
    model = LabelSpreadingRegressor().fit(X, y)
    known = ~np.isnan(y)
    alone = KNeighborsRegressor(3).fit(X[known], y[known])
    unknown = ~known
    assert model.score(X[unknown], truth[unknown]) > 0.95
    assert model.score(X[unknown], truth[unknown]) > alone.score(X[unknown], truth[unknown])


@pytest.mark.parametrize(("factor", "offset"), [(1e-6, 0), (1e6, 0), (1, -1e5)])
def test_units_do_not_matter(factor, offset):
    X, _, y = curve()
    one, other = (LabelSpreadingRegressor().fit(X, v) for v in (y, factor * y + offset))
    assert one.n_iter_ == other.n_iter_
    np.testing.assert_allclose(
        other.transduction_ - offset, factor * one.transduction_, rtol=1e-8, atol=0
    )


def test_equal_targets():
    X, _, y = curve()
    model = LabelSpreadingRegressor().fit(X, np.where(np.isnan(y), np.nan, 2.5))
    assert (model.transduction_ == 2.5).all()
    assert (model.predict(X[:5]) == 2.5).all()


def test_where_nothing_comes_it_is_the_mean():
    X = np.array([[0.0], [0.1], [0.2], [50.0], [50.1]])
    model = LabelSpreadingRegressor(n_neighbors=2).fit(X, [1.0, 2.0, np.nan, np.nan, np.nan])
    assert model.transduction_[3:].tolist() == [1.5, 1.5]
    assert model.mass_[3:].tolist() == [0, 0]
    assert model.predict([[60.0]]).tolist() == [1.5]


def test_beats_the_mean_on_diabetes():
    X, y = load_diabetes(return_X_y=True)
    unknown = np.random.default_rng(0).random(len(y)) < 0.7
    model = LabelSpreadingRegressor().fit(X, np.where(unknown, np.nan, y))
    assert model.score(X[unknown], y[unknown]) > 0.3
