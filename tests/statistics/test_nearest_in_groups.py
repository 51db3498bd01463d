"""The k nearest rows of the groups that a query looks at."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from tests.statistics.rows import FORMS, blobs, fold, forms

from shoal import open_dataset
from shoal.statistics.group_visits import GroupVisits
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_in_groups import NearestInGroups
from shoal.statistics.nearest_rows import NO_ROW, NearestRows
from shoal.statistics.row_groups import RowGroups
from shoal.testing import check_statistic

N_QUERIES, N_GROUPS, K = 20, 7, 6
EUCLIDEAN = Metric("euclidean")


def problem(dtype=np.float64, seed=0):
    """Rows, queries, centres, and which query looks at which group."""
    X, queries = blobs(dtype=dtype, seed=seed), blobs(N_QUERIES, seed=5, dtype=dtype)
    near = np.random.default_rng(seed).random((N_QUERIES, N_GROUPS)) < 0.5
    return X, queries, X[::22].copy(), near


def visits(centers, near):
    starts = np.concatenate([[0], np.cumsum(near.sum(axis=0))])
    return GroupVisits(RowGroups(centers), starts, np.nonzero(near.T)[1].astype(np.int32))


def squares(X, queries, centers, near):
    """Squared distances to the rows of the groups that queries look at; others are infinite."""
    X, queries, centers = (values.astype(np.float64) for values in (X, queries, centers))
    groups = cdist(X, centers, "sqeuclidean").argmin(axis=1)
    return np.where(near[:, groups], ((queries[:, None] - X) ** 2).sum(axis=-1), np.inf)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
def test_is_a_sort_of_the_pairs_in_any_split(form, dtype):
    X, queries, centers, near = problem(dtype)
    dataset = replace(forms(X)[form], dtype=np.dtype(dtype))
    nearest = NearestRows(queries, K, EUCLIDEAN)
    statistic = NearestInGroups(nearest, visits(centers, near), np.full(N_QUERIES, np.inf))
    check_statistic(statistic, dataset)
    found = fold(statistic, dataset)
    truth = squares(X, queries, centers, near)
    order = np.argsort(truth, axis=1, kind="stable")[:, :K]
    expected = np.take_along_axis(truth, order, axis=1)
    np.testing.assert_allclose(found.distances, expected, rtol=1e-12, atol=1e-12)
    if form != "dropped":
        np.testing.assert_array_equal(found.rows, np.where(np.isinf(expected), NO_ROW, order))


def test_rows_within_reach_alone_are_found():
    X, queries, centers, near = problem()
    truth = squares(X, queries, centers, near)
    # What the third neighbour is at is within reach, the fourth is not.
    everything = NearestInGroups(
        NearestRows(queries, K, EUCLIDEAN), visits(centers, near), np.full(N_QUERIES, np.inf)
    )
    reach = fold(everything, open_dataset(X)).distances[:, 2]
    statistic = replace(everything, reach=reach)
    check_statistic(statistic, open_dataset(X))
    found = fold(statistic, open_dataset(X))
    rows = np.argsort(truth, axis=1, kind="stable")[:, :3]
    has_three = np.isfinite(reach)
    assert has_three.sum() > 10
    np.testing.assert_array_equal(found.rows[has_three, :3], rows[has_three])
    assert (found.rows[has_three, 3:] == NO_ROW).all()
    np.testing.assert_array_equal(found.distances[:, 3:], np.repeat(reach[:, None], 3, axis=1))


def test_removed_rows_and_the_first_rows_number():
    X, queries, centers, near = problem()
    removed = np.arange(0, 150, 4)
    nearest = NearestRows(queries, K, EUCLIDEAN, 1000, removed)
    statistic = NearestInGroups(nearest, visits(centers, near), np.full(N_QUERIES, np.inf))
    truth = squares(X, queries, centers, near)
    truth[:, removed] = np.inf
    order = np.argsort(truth, axis=1, kind="stable")[:, :K]
    missing = np.isinf(np.take_along_axis(truth, order, axis=1))
    expected = np.where(missing, NO_ROW, order + 1000)
    np.testing.assert_array_equal(fold(statistic, open_dataset(X)).rows, expected)


def test_room_beside_rows_is_asked_for():
    _, queries, centers, near = problem()
    some = visits(centers, near)
    statistic = NearestInGroups(NearestRows(queries, K, EUCLIDEAN), some, np.zeros(N_QUERIES))
    assert statistic.beside_row_bytes == some.beside_row_bytes > 4
