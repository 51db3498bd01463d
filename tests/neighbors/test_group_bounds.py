"""Lower bounds on the distances of queries to the rows of groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from tests.neighbors.rows import blobs, ties

from shoal.neighbors.group_bounds import SLACK, GroupBounds, reach_of


def bounds(queries, centers, radii, exact_order=False):
    return GroupBounds(queries, centers, radii, exact_order=exact_order)


@given(
    seed=st.integers(0, 2**32 - 1),
    offset=st.sampled_from([0.0, 1e6]),
    dtype=st.sampled_from([np.float32, np.float64]),
    exact_order=st.booleans(),
)
def test_no_row_is_nearer_than_its_bound(seed, offset, dtype, exact_order):
    X, queries = (
        blobs(100, dtype=dtype, seed=seed + one, offset=offset).astype("f8") for one in (0, 1)
    )
    centers = X[:9]
    labels = cdist(X, centers).argmin(axis=1)
    own = np.linalg.norm(X - centers[labels], axis=1)
    radii = np.array([own[labels == group].max() for group in range(9)]) * (1 + SLACK)
    found = bounds(queries, centers, radii, exact_order)
    truth = cdist(queries, X)
    everyone = np.arange(100)
    for row, group in enumerate(labels):
        # A group is never ruled out by the reach of one of its rows.
        reach = reach_of(truth[:, row] ** 2)
        assert found.within(reach)[:, group].all()
        assert found.still_within(reach, everyone, group).all()
    assert (found.distances > cdist(queries, centers) - 1e-6 * (1 + offset)).all()


@pytest.mark.parametrize("n_neighbors", [1, 5, 30])
def test_as_many_rows_as_a_group_has_are_no_farther_than_its_farthest(n_neighbors):
    X, queries = blobs(100, dtype="f8"), blobs(60, dtype="f8", seed=1)
    centers = X[:9]
    labels = cdist(X, centers).argmin(axis=1)
    own = np.linalg.norm(X - centers[labels], axis=1)
    counts = np.bincount(labels, minlength=9)
    radii = np.array([own[labels == group].max() for group in range(9)]) * (1 + SLACK)
    found = bounds(queries, centers, radii).farthest(counts >= n_neighbors)
    kth = np.sort(cdist(queries, X), axis=1)[:, n_neighbors - 1]
    assert (found >= kth).all()
    least = (cdist(queries, centers) + radii)[:, counts >= n_neighbors].min(axis=1, initial=np.inf)
    np.testing.assert_allclose(found, least, rtol=1e-7)


@pytest.mark.parametrize("n_groups", [1, 3, 8])
def test_the_nearest_groups_and_ties_to_the_first(n_groups):
    queries, centers = ties(200), ties(8, seed=3)
    found = bounds(queries, centers, np.ones(8), exact_order=True).nearest(n_groups)
    order = np.argsort(cdist(queries, centers, "sqeuclidean"), axis=1, kind="stable")
    expected = np.zeros((200, 8), dtype=bool)
    np.put_along_axis(expected, order[:, :n_groups], values=True, axis=1)
    np.testing.assert_array_equal(found, expected)


def test_none_is_all_groups():
    assert bounds(blobs(5), blobs(4), np.ones(4)).nearest(None).all()
    assert bounds(blobs(5), blobs(4), np.ones(4)).nearest(7).all()


def test_groups_without_rows_come_last():
    queries = blobs(5)
    some = bounds(queries, np.vstack([queries[:1], blobs(3) + 50]), np.array([-np.inf, 1, 1, 1]))
    assert not some.nearest(3)[:, 0].any()
    for reach in (1e300, np.inf):
        assert not some.within(np.full(5, reach))[:, 0].any()
        assert not some.still_within(np.full(5, reach), np.arange(5), 0).any()


@pytest.mark.parametrize("exact_order", [False, True])
def test_what_overflows_rules_nothing_out(exact_order):
    queries, centers = blobs(20) * 1e200, blobs(4) * 1e200
    with np.errstate(over="ignore"):
        some = bounds(queries, centers, np.full(4, np.inf), exact_order)
    assert some.within(np.zeros(20)).all()
