"""All rows within a distance of each of some queries."""

from dataclasses import replace

import numpy as np
import pytest
from tests.statistics.rows import FORMS, blobs, fold, forms
from tests.statistics.test_nearest_rows import pairwise

from shoal import open_dataset
from shoal.statistics.metric import Metric
from shoal.statistics.rows_within import RowsWithin
from shoal.testing import check_statistic


@pytest.mark.parametrize(
    ("name", "radius"),
    [("euclidean", 2.0), ("sqeuclidean", 9.0), ("inner_product", -3.0), ("manhattan", 4.0)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
def test_are_all_near_pairs_in_any_split(form, name, radius, dtype):
    X, queries = blobs(dtype=dtype), blobs(20, seed=5, dtype=dtype)
    dataset = replace(forms(X)[form], dtype=np.dtype(dtype))
    statistic = RowsWithin(queries, radius, Metric(name))
    check_statistic(statistic, dataset)
    found = fold(statistic, dataset)
    truth = pairwise(queries, X, name)
    truth = np.sqrt(truth) if name == "euclidean" else truth
    expected = np.nonzero(truth <= radius)
    assert 20 < len(expected[0]) < 2000
    np.testing.assert_array_equal(found.queries, expected[0])
    np.testing.assert_allclose(found.distances, truth[expected], rtol=1e-12, atol=1e-12)
    if form != "dropped":
        np.testing.assert_array_equal(found.rows, expected[1])


@pytest.mark.parametrize("name", ["euclidean", "chebyshev"])
def test_rows_at_the_very_radius_count(name):
    X = np.array([[0.0], [3.0], [-3.0], [np.nextafter(3.0, 4)]])
    found = fold(RowsWithin(np.zeros((2, 1)), 3.0, Metric(name)), open_dataset(X))
    assert found.rows.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.queries.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("name", ["sqeuclidean", "manhattan"])
def test_removed_rows_and_the_first_rows_number(name):
    X = np.arange(6.0)[:, None]
    statistic = RowsWithin(X[:1], 4.0, Metric(name), 100, np.array([1, 2]))
    check_statistic(statistic, open_dataset(X))
    expected = [100] if name == "sqeuclidean" else [100, 103, 104]
    assert fold(statistic, open_dataset(X)).rows.tolist() == expected
