"""`check_index` passes every index there is, and finds what is wrong with others."""

from dataclasses import replace

import numpy as np
import pytest

from shoal.neighbors.brute import Brute
from shoal.neighbors.grouped_rows import GroupedRows
from shoal.neighbors.hnsw import HNSW
from shoal.neighbors.kd_tree import KdTree
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import Neighbors
from shoal.statistics.rows_within import Pairs
from shoal.testing import check_index

EUCLIDEAN = Metric("euclidean")


@pytest.mark.parametrize("kind", [Brute, KdTree, GroupedRows])
@pytest.mark.parametrize("n_features", [1, 3, 9])
def test_exact_indexes_pass(kind, n_features):
    check_index(lambda rows: kind.build(rows, EUCLIDEAN), n_features=n_features)


def test_approximate_indexes_pass():
    check_index(lambda rows: GroupedRows.build(rows, EUCLIDEAN, n_probe=2), exact=False)


def test_a_graph_passes():
    pytest.importorskip("faiss")
    check_index(lambda rows: HNSW.build(rows, EUCLIDEAN), exact=False)


class Wrong(Brute):
    """Brute force, of which one answer is replaced."""

    def query(self, queries, n_neighbors):
        return self.spoilt(super().query(queries, n_neighbors))

    def spoilt(self, found):
        return found


class LateTies(Wrong):
    def spoilt(self, found):
        order = np.lexsort((-found.rows, found.distances), axis=1)
        return Neighbors(found.distances, np.take_along_axis(found.rows, order, axis=1))


class Squares(Wrong):
    def spoilt(self, found):
        return replace(found, distances=found.distances**2)


class Backwards(Wrong):
    def spoilt(self, found):
        return Neighbors(found.distances[:, ::-1], found.rows[:, ::-1])


class Twice(Wrong):
    def spoilt(self, found):
        first = np.zeros(found.rows.shape[1], dtype=int)
        return Neighbors(found.distances[:, first], found.rows[:, first])


class LosesAPair(Wrong):
    def query_radius(self, queries, radius):
        found = super().query_radius(queries, radius)
        return Pairs(found.queries[1:], found.rows[1:], found.distances[1:])


class SquaresWithin(Wrong):
    def query_radius(self, queries, radius):
        found = super().query_radius(queries, radius)
        return replace(found, distances=found.distances**2)


class AddsNothing(Wrong):
    def add(self, dataset):
        return self


class RemovesTheFirst(Wrong):
    def remove(self, rows):
        return super().remove(np.arange(len(rows)))


@pytest.mark.parametrize(
    ("kind", "exact", "message"),
    [
        (LateTies, True, "not the 1 nearest|not the 7 nearest"),
        (LateTies, False, "out of order"),
        (Squares, True, "distances are not those"),
        (Backwards, False, "out of order"),
        (Twice, False, "found twice"),
        (LosesAPair, True, "not the rows within 0"),
        (SquaresWithin, True, "distances within a radius"),
        (AddsNothing, True, "nearest of 800 rows"),
        (RemovesTheFirst, True, "nearest of 535 rows"),
    ],
)
def test_what_is_wrong_is_found(kind, exact, message):
    with pytest.raises(AssertionError, match=message):
        check_index(lambda rows: kind.build(rows, EUCLIDEAN), exact=exact)
