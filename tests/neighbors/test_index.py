"""Every index finds the neighbours of the definition, to the same bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.neighbors.rows import blobs, nearest, pairwise, ties

from shoal import open_dataset
from shoal.exceptions import ParameterError
from shoal.neighbors.brute import Brute
from shoal.neighbors.database import Database
from shoal.neighbors.grouped_blocks import GroupedBlocks
from shoal.neighbors.grouped_rows import GroupedRows
from shoal.neighbors.index import require_euclidean
from shoal.neighbors.kd_tree import KdTree
from shoal.statistics.metric import Metric
from shoal.testing.bits import bits

INDEXES = (Brute, KdTree, GroupedRows, GroupedBlocks)
EUCLIDEAN = Metric("euclidean")


def built(kind, X, metric=EUCLIDEAN):
    return kind.build(Database.of(open_dataset(X)), metric)


@pytest.mark.parametrize("kind", INDEXES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [blobs, ties])
def test_neighbours_are_those_of_the_definition(kind, make, dtype):
    X, queries = make(dtype=dtype), make(40, seed=1, dtype=dtype)
    index = built(kind, X)
    for k in (1, 7, 300):
        found = index.query(queries, k)
        distances, rows = nearest(queries, X, k)
        np.testing.assert_array_equal(found.rows, rows)
        np.testing.assert_allclose(found.distances, distances, rtol=1e-13)
    for radius in (0.0, 1.0, 2.0, 1e3):
        pairs = index.query_radius(queries, radius)
        expected = np.nonzero(pairwise(queries, X) <= radius**2)
        np.testing.assert_array_equal((pairs.queries, pairs.rows), expected)


@pytest.mark.parametrize("kind", INDEXES[1:])
@pytest.mark.parametrize("name", ["euclidean", "sqeuclidean", "cosine"])
@pytest.mark.parametrize("types", [(np.float32, np.float64), (np.float64, np.float32)])
def test_indexes_give_the_bits_of_brute_force(kind, name, types):
    X, queries = blobs(dtype=types[0], offset=3), blobs(50, seed=2, dtype=types[1], offset=3)
    if name == "cosine":
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    one, other = (built(each, X, Metric(name)) for each in (Brute, kind))
    assert bits(one.query(queries, 9)) == bits(other.query(queries, 9))
    assert bits(one.query_radius(queries, 0.5)) == bits(other.query_radius(queries, 0.5))


@pytest.mark.parametrize("kind", INDEXES)
@settings(max_examples=15)
@given(data=st.data(), make=st.sampled_from([blobs, ties]))
def test_adding_and_removing_is_building_what_remains(kind, data, make):
    X, queries = make(60), make(9, seed=1)
    index = built(kind, X)
    for step in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            more = make(data.draw(st.integers(1, 30)), seed=step + 7)
            index, X = index.add(open_dataset(more)), np.vstack([X, more])
        else:
            few = st.sets(st.integers(0, len(X) - 1), min_size=1, max_size=len(X) // 2)
            rows = np.array(sorted(data.draw(few)))
            index, X = index.remove(rows), np.delete(X, rows, axis=0)
    expected = built(kind, X)
    assert index.database.n_rows == len(X)
    assert bits(index.query(queries, 5)) == bits(expected.query(queries, 5))
    assert bits(index.query_radius(queries, 1.0)) == bits(expected.query_radius(queries, 1.0))


def test_metrics_that_are_not_euclidean_are_refused():
    require_euclidean(Metric("cosine"), "kd_tree")
    for kind in INDEXES[1:]:
        with pytest.raises(ParameterError, match=f"algorithm='{kind.name}' answers by 'euclid"):
            built(kind, blobs(), Metric("manhattan"))
