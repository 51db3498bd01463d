"""From candidates to the nearest of them."""

import numpy as np
from tests.neighbors.rows import blobs, pairwise, ties

from shoal.neighbors import candidates
from shoal.neighbors.candidates import measured, nearest_of
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import NO_ROW


def test_distances_are_those_of_the_definition(monkeypatch):
    monkeypatch.setattr(candidates, "_PAIRS", 7)
    queries, rows = blobs(20, dtype=np.float32), blobs(50, seed=1)
    which, places = np.repeat(np.arange(20), 3), np.arange(60) - 1
    pairs = measured(queries, rows, which, places)
    here = (places >= 0) & (places < 50)
    np.testing.assert_array_equal(pairs.queries, which[here])
    np.testing.assert_array_equal(pairs.rows, places[here])
    np.testing.assert_array_equal(
        pairs.distances, pairwise(queries, rows)[which[here], places[here]]
    )


def test_the_nearest_come_first_and_ties_by_row():
    queries, rows = ties(9), ties(40, seed=1)
    which, places = (one.ravel() for one in np.indices((9, 40)))
    shuffled = np.random.default_rng(0).permutation(360)
    pairs = measured(queries, rows, which[shuffled], places[shuffled])
    found = nearest_of(pairs, 9, 5, Metric("sqeuclidean"))
    order = np.argsort(pairwise(queries, rows), axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(found.rows, order)
    few = nearest_of(measured(queries, rows, which[:2], places[:2]), 9, 5, Metric("euclidean"))
    assert (few.rows[0] != NO_ROW).sum() == 2
    assert (few.rows[1:] == NO_ROW).all()
    assert np.isinf(few.distances[1:]).all()
