"""Sums without rounding against fractions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.statistics.rows import FORMS, blobs, exact, fold, forms, weights

from shoal.statistics.exact_sum import ExactSum, exact_sums, rounded
from shoal.testing import check_statistic

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(finite, max_size=30))
def test_is_rounded_once(values):
    total = exact(values)
    if abs(total) < 2**1023:
        assert rounded(exact_sums(np.array(values, dtype=np.float64)))[0] == float(total)


@given(st.lists(st.tuples(finite, st.integers(0, 3)), min_size=1, max_size=30))
def test_groups(pairs):
    values, groups = map(np.array, zip(*pairs, strict=True))
    sums = exact_sums(values / 64, groups, 4)
    for group in range(4):
        assert rounded(sums)[group] == float(exact(values[groups == group] / 64))


class Terms:
    """Picklable: weights, and weighted first column."""

    def __call__(self, block):
        X = block.X[:, :1].toarray() if hasattr(block.X, "toarray") else block.X[:, :1]
        return np.stack([block.sample_weight, block.sample_weight * X[:, 0]])


@pytest.mark.parametrize("form", FORMS)
def test_statistic(form):
    X, weight = blobs(), weights()
    dataset = forms(X, weight)[form]
    statistic = ExactSum(Terms(), 2)
    check_statistic(statistic, dataset)
    expected = [float(exact(weight)), float(exact(weight * X[:, 0]))]
    np.testing.assert_array_equal(fold(statistic, dataset), expected)
