"""The passes before the first step."""

import numpy as np
import pytest
from scipy import sparse
from tests.statistics.rows import blobs, fold, weights

from shoal import open_dataset
from shoal.cluster.summary import summarize
from shoal.exceptions import DataError


def summary_of(X, *, least_rows=1, **roles):
    dataset = open_dataset(X, **roles)
    return summarize(dataset, lambda statistic: fold(statistic, dataset), least_rows)


@pytest.mark.parametrize("offset", [0, 1e6])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_describes_the_rows(dtype, weighted, offset):
    X, weight = blobs(dtype=dtype, offset=offset), weights() if weighted else None
    found = summary_of(X, sample_weight=weight)
    exact = X.astype(np.longdouble)
    mean = np.average(exact, axis=0, weights=weight)
    np.testing.assert_allclose(found.moments.mean, mean.astype(float), rtol=1e-14)
    np.testing.assert_array_equal(found.shift, found.moments.mean.astype(dtype))
    assert (found.dtype, found.weighted) == (np.dtype(dtype), weighted)
    squares = ((exact - found.shift) ** 2).sum(axis=1) @ (
        np.ones(150) if weight is None else weight
    )
    assert found.squares_about_shift == pytest.approx(float(squares), rel=1e-12)


def test_nothing_is_subtracted_from_sparse_rows():
    X = blobs(offset=3)
    found = summary_of(sparse.csr_array(X))
    np.testing.assert_array_equal(found.shift, np.zeros(3))
    np.testing.assert_allclose(found.moments.mean, X.mean(axis=0), rtol=1e-14)
    assert found.squares_about_shift == pytest.approx((X**2).sum(), rel=1e-13)


def test_refuses_what_cannot_be_clustered():
    X = blobs()
    with pytest.raises(DataError, match="every row has a missing value"):
        summary_of(np.full((4, 2), np.nan), missing="drop")
    with pytest.raises(DataError, match="n_samples=150 should be >= n_clusters=151"):
        summary_of(X, least_rows=151)
    summary_of(X, least_rows=150)
    with pytest.raises(DataError, match="all zero"):
        summary_of(X, sample_weight=np.zeros(150))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("largest", "weight"), [(1e160, None), (1.0, 1e308)])
def test_squares_that_overflow_are_refused(form, largest, weight):
    X = np.zeros((150, 3))
    X[:75, 1] = -largest
    message = r"overflow float64: column 'x1' has values from -1(e\+160)? to 0, and weights reach 1"
    with pytest.raises(DataError, match=message):
        summary_of(form(X), sample_weight=None if weight is None else np.full(150, weight))


def test_a_column_far_from_zero_overflows_nothing():
    X = blobs()
    X[:, 1] = 1e200
    assert summary_of(X).moments.variance[1] == 0
