"""All rows within a radius of queries."""

import numpy as np
import pytest
import sklearn.neighbors
from tests.neighbors.rows import blobs

from shoal.exceptions import ParameterError
from shoal.neighbors import NearestNeighbors
from shoal.testing.bits import bits


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("sort_results", [False, True])
@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "partition"])
def test_neighbours_are_scikit_learns(algorithm, sort_results, own):
    X = blobs()
    queries = None if own else blobs(30, seed=1)
    reference = sklearn.neighbors.NearestNeighbors(algorithm="brute").fit(X)
    found = NearestNeighbors(algorithm=algorithm).fit(X)
    distances, rows = found.radius_neighbors(queries, 1.5, sort_results=sort_results)
    expected = reference.radius_neighbors(queries, 1.5, sort_results=True)
    for one, other, distance, other_distance in zip(
        rows, expected[1], distances, expected[0], strict=True
    ):
        order = np.arange(len(one)) if sort_results else np.argsort(distance)
        np.testing.assert_array_equal(one[order], other)
        np.testing.assert_allclose(distance[order], other_distance)
        assert sort_results or (np.diff(one) > 0).all()
    assert bits(found.radius_neighbors(queries, 1.5, False, sort_results)) == bits(rows)


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
def test_graphs_are_scikit_learns(mode):
    X, queries = blobs(), blobs(30, seed=1)
    found = NearestNeighbors(radius=1.2).fit(X).radius_neighbors_graph(queries, mode=mode)
    reference = sklearn.neighbors.NearestNeighbors(radius=1.2).fit(X)
    expected = reference.radius_neighbors_graph(queries, mode=mode)
    assert found.shape == expected.shape
    assert abs(found - expected).max() < 1e-12


def test_queries_without_a_row_in_reach():
    model = NearestNeighbors(radius=0.5).fit(blobs())
    distances, rows = model.radius_neighbors(np.full((2, 4), 1e3))
    assert [len(one) for one in (*distances, *rows)] == [0, 0, 0, 0]
    assert model.radius_neighbors_graph(np.full((2, 4), 1e3)).nnz == 0


@pytest.mark.parametrize("radius", [-1, np.nan, "1", True])
def test_radii_that_are_none(radius):
    model = NearestNeighbors().fit(blobs())
    for search in (model.radius_neighbors, model.radius_neighbors_graph):
        with pytest.raises(ParameterError, match=f"radius must be .* at least 0. Got {radius!r}"):
            search(blobs(2), radius)


def test_opposites_of_inner_products_may_be_negative():
    model = NearestNeighbors(metric="inner_product").fit([[1.0], [2.0]])
    assert model.radius_neighbors([[3.0]], -6)[1][0].tolist() == [1]


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "partition"])
@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine"])
def test_a_row_at_the_very_radius_is_within_it(algorithm, metric):
    model = NearestNeighbors(n_neighbors=3, algorithm=algorithm, metric=metric).fit(blobs(200))
    queries = blobs(50, seed=1)
    distances, rows = model.kneighbors(queries)
    for query, reach, expected in zip(queries[:, None], distances[:, -1], rows, strict=True):
        assert model.radius_neighbors(query, reach)[1][0].tolist() == sorted(expected)
