"""All rows within a distance, of the groups that a query looks at."""

from dataclasses import replace

import numpy as np
import pytest
from tests.statistics.rows import FORMS, fold, forms
from tests.statistics.test_nearest_in_groups import problem, squares, visits

from shoal import open_dataset
from shoal.statistics.metric import Metric
from shoal.statistics.rows_within import RowsWithin
from shoal.statistics.within_groups import WithinGroups
from shoal.testing import check_statistic

RADIUS = 3.0
EUCLIDEAN = Metric("euclidean")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
def test_are_the_near_pairs_in_any_split(form, dtype):
    X, queries, centers, near = problem(dtype)
    dataset = replace(forms(X)[form], dtype=np.dtype(dtype))
    statistic = WithinGroups(RowsWithin(queries, RADIUS, EUCLIDEAN), visits(centers, near))
    check_statistic(statistic, dataset)
    found = fold(statistic, dataset)
    truth = np.sqrt(squares(X, queries, centers, near))
    expected = np.nonzero(truth <= RADIUS)
    assert 50 < len(expected[0]) < 2000
    np.testing.assert_array_equal(found.queries, expected[0])
    assert found.queries.dtype == found.rows.dtype == np.int64
    np.testing.assert_allclose(found.distances, truth[expected], rtol=1e-12, atol=1e-12)
    if form != "dropped":
        np.testing.assert_array_equal(found.rows, expected[1])


def test_removed_rows_and_the_first_rows_number():
    X, queries, centers, near = problem()
    removed = np.arange(0, 150, 4)
    within = RowsWithin(queries, RADIUS, EUCLIDEAN, 1000, removed)
    found = fold(WithinGroups(within, visits(centers, near)), open_dataset(X))
    truth = squares(X, queries, centers, near)
    truth[:, removed] = np.inf
    expected = np.nonzero(truth <= RADIUS**2)
    np.testing.assert_array_equal(found.queries, expected[0])
    np.testing.assert_array_equal(found.rows, expected[1] + 1000)


def test_room_beside_rows_is_asked_for():
    _, queries, centers, near = problem()
    some = visits(centers, near)
    statistic = WithinGroups(RowsWithin(queries, RADIUS, EUCLIDEAN), some)
    assert statistic.beside_row_bytes == some.beside_row_bytes > 4
