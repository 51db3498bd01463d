"""Rows in groups, of which most are skipped."""

import numpy as np
import pytest
from tests.neighbors.rows import blobs

from shoal import LocalEngine, open_dataset
from shoal.neighbors.database import Database
from shoal.neighbors.grouped_rows import GroupedRows
from shoal.statistics.metric import Metric


def built(X):
    return GroupedRows.build(Database.of(open_dataset(X)), Metric("euclidean"))


def test_most_groups_are_skipped_where_rows_are_grouped():
    generator = np.random.default_rng(0)
    middles = generator.uniform(-30, 30, (40, 16))
    X = middles[generator.integers(40, size=4000)] + generator.normal(size=(4000, 16))
    index = built(X)
    assert index.share_visited(X[::100].copy(), 5) < 0.2
    noise = built(generator.normal(size=(4000, 16)))
    assert noise.share_visited(noise.rows[::100].copy(), 5) > 0.5


def test_no_row_is_outside_its_groups_radius():
    index = built(blobs(1000))
    assert (np.diff(index.groups) >= 0).all()
    distances = np.linalg.norm(index.rows - index.centers[index.groups], axis=1)
    assert (distances <= index.radii[index.groups]).all()


def test_radii_grow_with_rows_that_are_added():
    index = built(blobs(200))
    far = np.full((1, 4), 1e4)
    grown = index.add(open_dataset(far))
    assert grown.radii.max() > 9e3 > index.radii.max()
    assert grown.query(far + 1, 1).rows.tolist() == [[200]]


@pytest.mark.parametrize("scale", [1e-200, 1e160])
def test_magnitudes_whose_squares_overflow_or_vanish(scale):
    X = blobs(300) * scale
    with np.errstate(over="ignore"):
        found = built(X).query(X[:9].copy(), 1).rows[:, 0]
    truth = ((X[:9, None] - X[None]) ** 2 if scale < 1 else (X[:9, None] != X[None])).sum(-1)
    np.testing.assert_array_equal(found, truth.argmin(axis=1))


def test_rows_of_one_value():
    index = built(np.ones((500, 3)))
    assert index.query(np.ones((1, 3)), 4).rows.tolist() == [[0, 1, 2, 3]]


def test_blocks_of_queries_join_up():
    X = blobs(9000)
    index = built(X)
    with LocalEngine(n_threads=1):
        one = index.query(X, 3), index.query_radius(X, 0.1)
    with LocalEngine(n_threads=3):
        other = index.query(X, 3), index.query_radius(X, 0.1)
    assert one[0].rows.tobytes() == other[0].rows.tobytes()
    assert one[1].queries.tobytes() == other[1].queries.tobytes()
    assert (one[0].rows[:, 0] == np.arange(9000)).all()
