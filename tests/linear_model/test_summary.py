"""The passes before the first step."""

import numpy as np
import pytest
from scipy import sparse
from tests.linear_model.losses import dataset, fold_over, moments, rows_of, summary
from tests.linear_model.models import amounts, rows

from shoal import open_dataset
from shoal.exceptions import DataError
from shoal.linear_model import summary as summaries


def test_means_variances_and_ranges():
    some = dataset()
    X, y, weight = rows_of(some)
    found = summary(some)
    mean = np.average(X, axis=0, weights=weight)
    np.testing.assert_allclose(found.moments.mean, mean, rtol=1e-13)
    np.testing.assert_allclose(found.shift, mean, rtol=1e-13)
    squares = np.average((X - found.shift) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(found.squares_about_shift, squares, rtol=1e-12)
    assert found.target_range == (y.min(), y.max())
    assert not found.is_sparse


def test_sparse_rows():
    X = rows()
    some = open_dataset(sparse.csr_array(X), target=amounts(X))
    found = summary(some)
    assert found.is_sparse
    np.testing.assert_allclose(found.shift, X.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(moments(some).gram, np.cov(X.T, bias=True), rtol=1e-9)


@pytest.mark.parametrize(("sigma", "n_passes"), [(0.1, 1), (2.0, 2)])
def test_means_far_from_the_middle_take_a_pass_more(sigma, n_passes):
    X = np.random.default_rng(0).lognormal(0, sigma, size=(3000, 2))
    some, passes = open_dataset(X, target=X[:, 0]), []

    def fold(statistic):
        passes.append(statistic)
        return fold_over(some)(statistic)

    found, targets = summaries.ranges(some, 1, fold)
    passes.clear()
    second = summaries.second_moments(some, found, targets, fold)
    assert len(passes) == n_passes
    np.testing.assert_allclose(second.gram, np.cov(X.T, bias=True), rtol=1e-11)


def test_no_rows_that_count():
    X = np.full((4, 1), np.nan)
    with pytest.raises(DataError, match="every row has a missing value"):
        summary(open_dataset(X, target=np.ones(4), missing="drop"))
    with pytest.raises(DataError, match="all zero"):
        summary(open_dataset(np.ones((4, 1)), target=np.ones(4), sample_weight=np.zeros(4)))
