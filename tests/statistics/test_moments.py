"""Means and variances against exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.statistics.rows import FORMS, blobs, fold, forms, weights

from shoal import open_dataset
from shoal.statistics.moments import Moments
from shoal.statistics.range import Range
from shoal.testing import check_statistic


def moments_of(dataset, *, from_zero=False):
    found = fold(Range(dataset.n_features), dataset)
    middle = np.zeros(dataset.n_features) if from_zero else (found.minimum + found.maximum) / 2
    return Moments.within(found, middle, dataset.sample_weight is not None)


def exact_moments(x, weight):
    """Mean and variance, rounded once."""
    x, weight = [list(map(Fraction, values.tolist())) for values in (x, weight)]
    mean = sum(v * w for v, w in zip(x, weight, strict=True)) / sum(weight)
    square = sum((v - mean) ** 2 * w for v, w in zip(x, weight, strict=True))
    return float(mean), float(square / sum(weight))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_is_the_exact_value_in_any_split(form, weighted):
    X = blobs()
    weight = weights() if weighted else None
    dataset = forms(X, weight)[form]
    statistic = moments_of(dataset, from_zero=form == "CSR")
    check_statistic(statistic, dataset)
    found = fold(statistic, dataset)
    for column, x in enumerate(X.T):
        mean, variance = exact_moments(x, np.ones(len(x)) if weight is None else weight)
        assert found.mean[column] == pytest.approx(mean, rel=1e-14, abs=1e-15)
        assert found.variance[column] == pytest.approx(variance, rel=1e-13)
    assert found.weight == pytest.approx(len(X) if weight is None else weight.sum(), rel=1e-15)


@pytest.mark.parametrize("offset", [1e6, -1e9, 1e12])
def test_an_offset_takes_no_digits_from_the_variance(offset):
    X = np.round(blobs(n_features=1) * 2**10) / 2**10 + offset
    found = fold(moments_of(open_dataset(X)), open_dataset(X))
    mean, variance = exact_moments(X[:, 0], np.ones(len(X)))
    assert found.mean[0] == mean
    assert found.variance[0] == pytest.approx(variance, rel=1e-12)


def test_a_constant_column_has_no_variance():
    X = np.full((50, 2), [0.1, -3e7])
    found = fold(moments_of(open_dataset(X)), open_dataset(X))
    np.testing.assert_array_equal(found.mean, X[0])
    np.testing.assert_array_equal(found.variance, [0.0, 0.0])


@given(
    st.lists(
        st.tuples(st.floats(-1e3, 1e3, width=32), st.floats(0.125, 8, width=16)),
        min_size=2,
        max_size=30,
    )
)
def test_any_rows(pairs):
    x, weight = np.array(pairs).T
    dataset = open_dataset(x[:, None], sample_weight=weight)
    found = fold(moments_of(dataset), dataset)
    mean, variance = exact_moments(x, weight)
    spread = float(np.ptp(x))
    assert found.mean[0] == pytest.approx(mean, rel=1e-14, abs=1e-14 * spread)
    assert found.variance[0] == pytest.approx(variance, rel=1e-12, abs=1e-14 * spread**2)
