"""Distances that are given."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import neighbors as reference
from sklearn.model_selection import cross_val_score
from tests.neighbors.rows import blobs, parquet, ties

from shoal import load_model, save_model
from shoal.exceptions import DataError, ParameterError
from shoal.neighbors import KNeighborsClassifier, NearestNeighbors, recall
from shoal.testing.bits import bits


def distances(queries, X):
    return np.abs(queries[:, None] - X).sum(axis=2)


def graphs(k=10):
    """Distances of rows, and of queries, to the nearest rows."""
    X, queries = blobs(), blobs(40, seed=1)
    model = reference.NearestNeighbors(n_neighbors=k, metric="manhattan").fit(X)
    return [model.kneighbors_graph(rows, mode="distance") for rows in (X, queries)]


@pytest.mark.parametrize("make", [blobs, ties])
@pytest.mark.parametrize("own", [True, False])
def test_neighbours_are_those_by_the_metric(make, own):
    X, queries = make(), make(40, seed=1)
    by_metric = NearestNeighbors(metric="manhattan", radius=3.0).fit(X)
    given = NearestNeighbors(metric="precomputed", radius=3.0).fit(distances(X, X))
    asked = (None, None) if own else (queries, distances(queries, X))
    np.testing.assert_array_equal(
        given.kneighbors(asked[1], return_distance=False),
        by_metric.kneighbors(asked[0], return_distance=False),
    )
    found, expected = given.radius_neighbors(asked[1]), by_metric.radius_neighbors(asked[0])
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(np.concatenate(found[0]), np.concatenate(expected[0]))
    assert given.effective_metric_ == "precomputed"
    assert given.algorithm_ == "brute"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_only_stored_distances_of_a_sparse_matrix_are_of_neighbours(dtype):
    X, queries = graphs()
    X.data, queries.data = X.data.astype(dtype), queries.data.astype(dtype)
    model = NearestNeighbors(n_neighbors=4, metric="precomputed", radius=np.inf).fit(X)
    expected = reference.NearestNeighbors(n_neighbors=4, metric="precomputed").fit(X)
    for asked in (queries, None):
        for one, other in zip(model.kneighbors(asked), expected.kneighbors(asked), strict=True):
            np.testing.assert_array_equal(one, other)
    stored = model.radius_neighbors_graph(queries, mode="distance")
    assert abs(stored - queries).nnz == 0
    with pytest.raises(DataError, match="does not store as many distances"):
        model.kneighbors(queries, n_neighbors=11)


def test_a_distance_of_zero_that_is_stored_is_one():
    twins = sparse.csr_array(([0.0, 0.0], ([0, 1], [1, 0])), shape=(3, 3))
    model = NearestNeighbors(metric="precomputed").fit(twins)
    assert [rows.tolist() for rows in model.radius_neighbors()[1]] == [[1], [0], []]


def test_cross_validation_takes_columns_with_rows():
    X, y = blobs(), np.arange(300) % 3
    D = distances(X, X)
    ours, theirs = (
        cross_val_score(module(metric="precomputed"), D, y)
        for module in (KNeighborsClassifier, reference.KNeighborsClassifier)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_a_matrix_in_a_file_and_a_model_file(tmp_path):
    X = blobs(50)
    D = distances(X, X)
    expected = NearestNeighbors(metric="precomputed").fit(D)
    on_disk = NearestNeighbors(metric="precomputed").fit(parquet(D, tmp_path / "d.parquet"))
    assert bits(on_disk.kneighbors()) == bits(expected.kneighbors())
    save_model(expected, tmp_path / "model.shoal")
    assert bits(load_model(tmp_path / "model.shoal").kneighbors(D)) == bits(expected.kneighbors(D))
    assert recall(expected, D) == 1


def test_what_is_no_matrix_of_distances():
    D = distances(blobs(20), blobs(20))
    model = NearestNeighbors(metric="precomputed").fit(D)
    with pytest.raises(DataError, match=r"must be square.*20x3 matrix"):
        NearestNeighbors(metric="precomputed").fit(D[:, :3])
    with pytest.raises(DataError, match="Negative values"):
        model.kneighbors(-D)
    with pytest.raises(DataError, match="expecting 20 features"):
        model.kneighbors(D[:, :3])
    for change in (lambda: model.forget([0]), lambda: model.partial_fit(D)):
        with pytest.raises(ParameterError, match="none can be added or forgotten"):
            change()
    assert model.n_samples_fit_ == 20
    with pytest.raises(ParameterError, match="not by 'precomputed'"):
        NearestNeighbors(metric="precomputed", algorithm="kd_tree").fit(D)
