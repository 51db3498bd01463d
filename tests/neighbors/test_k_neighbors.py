"""The k nearest rows of queries."""

import numpy as np
import pytest
import sklearn.neighbors
from tests.neighbors.rows import blobs, nearest, ties

from shoal.exceptions import ParameterError
from shoal.neighbors import NearestNeighbors
from shoal.neighbors.k_neighbors import check_mode


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
@pytest.mark.parametrize("own", [False, True])
def test_graphs_are_scikit_learns(mode, own):
    X = blobs()
    queries = None if own else blobs(30, seed=1)
    found = NearestNeighbors().fit(X).kneighbors_graph(queries, 4, mode)
    reference = sklearn.neighbors.NearestNeighbors().fit(X).kneighbors_graph(queries, 4, mode)
    assert type(found) is type(reference)
    assert (found.shape, found.dtype) == (reference.shape, reference.dtype)
    np.testing.assert_array_equal(found.indices, reference.indices)
    np.testing.assert_array_equal(found.indptr, reference.indptr)
    np.testing.assert_allclose(found.data, reference.data)


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "partition"])
def test_a_row_is_no_neighbour_of_itself_even_among_its_equals(algorithm):
    X = np.vstack([np.zeros((8, 2)), ties(50)])
    distances, rows = NearestNeighbors(algorithm=algorithm).fit(X).kneighbors(n_neighbors=3)
    assert (rows != np.arange(58)[:, None]).all()
    truth = nearest(X, X, 58)[1]
    expected = [[row for row in order if row != own][:3] for own, order in enumerate(truth)]
    np.testing.assert_array_equal(rows, expected)
    assert not distances[:8].any()


def test_rows_without_distances():
    model = NearestNeighbors(n_neighbors=2).fit(blobs())
    rows = model.kneighbors(blobs(), return_distance=False)
    np.testing.assert_array_equal(rows, model.kneighbors(blobs())[1])
    assert (rows.dtype, rows.shape) == (np.int64, (300, 2))


def test_too_many_neighbours():
    model = NearestNeighbors().fit(blobs(6))
    assert model.kneighbors(blobs(2), 6)[1].shape == (2, 6)
    with pytest.raises(
        ParameterError, match=r"Expected n_neighbors <= n_samples_fit, but n_neighbors = 7, n_s"
    ):
        model.kneighbors(blobs(2), 7)
    with pytest.raises(ParameterError, match="Expected n_neighbors < n_samples_fit"):
        model.kneighbors(n_neighbors=6)
    with pytest.raises(ParameterError, match=r"n_neighbors = 5, n_samples_fit = 3"):
        model.forget([0, 1, 2]).kneighbors(blobs(2))
    with pytest.raises(ParameterError, match=r"Expected n_neighbors > 0\. Got -1"):
        model.kneighbors(blobs(2), -1)
    with pytest.raises(ParameterError, match="enter integer value"):
        model.kneighbors(blobs(2), 1.5)


def test_modes():
    check_mode("distance")
    with pytest.raises(ParameterError, match="Unsupported mode"):
        check_mode("weights")
