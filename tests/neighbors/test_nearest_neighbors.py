"""Neighbours without a target."""

import numpy as np
import pytest
import sklearn.datasets
import sklearn.neighbors
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.neighbors.rows import blobs, nearest, ties

from shoal.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    NearestNeighbors,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    RadiusNeighborsTransformer,
)

DATASETS = {
    "iris": sklearn.datasets.load_iris,
    "wine": sklearn.datasets.load_wine,
    "diabetes": sklearn.datasets.load_diabetes,
    "digits": sklearn.datasets.load_digits,
    "cancer": sklearn.datasets.load_breast_cancer,
}


@pytest.mark.filterwarnings("ignore:Skipping check")
@parametrize_with_checks(
    [
        NearestNeighbors(),
        KNeighborsClassifier(),
        KNeighborsRegressor(),
        RadiusNeighborsClassifier(),
        RadiusNeighborsRegressor(),
        KNeighborsTransformer(),
        RadiusNeighborsTransformer(),
    ]
)
def test_scikit_learns_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", DATASETS)
def test_neighbours_on_scikit_learns_datasets(name):
    X = DATASETS[name]().data
    model = NearestNeighbors(n_neighbors=8).fit(X)
    distances, rows = model.kneighbors(X)
    expected = nearest(X, X, 8)
    np.testing.assert_array_equal(rows, expected[1])
    reference = sklearn.neighbors.NearestNeighbors(n_neighbors=8, algorithm="brute").fit(X)
    # scikit-learn's own are rounded by |x|^2 + |q|^2 - 2 x.q.
    np.testing.assert_allclose(
        distances, reference.kneighbors(X)[0], atol=1e-6 * np.abs(X).max(), rtol=1e-7
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_features", [1, 3, 40, 2000])
@pytest.mark.parametrize("offset", [0, 1e6])
def test_neighbours_of_random_rows(n_features, offset, dtype):
    X = blobs(200, n_features, dtype, offset=offset)
    queries = blobs(30, n_features, dtype, seed=1, offset=offset)
    distances, rows = NearestNeighbors(n_neighbors=6).fit(X).kneighbors(queries)
    expected = nearest(queries, X, 6)
    np.testing.assert_array_equal(rows, expected[1])
    np.testing.assert_allclose(distances, expected[0], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_ties(dtype):
    X = ties(500, dtype=dtype)
    rows = NearestNeighbors(n_neighbors=50).fit(X).kneighbors(X, return_distance=False)
    np.testing.assert_array_equal(rows, nearest(X, X, 50)[1])


@pytest.mark.parametrize(
    ("metric", "parameters"),
    [
        ("cosine", {}),
        ("manhattan", {}),
        ("chebyshev", {}),
        ("minkowski", {"p": 3}),
        ("minkowski", {"metric_params": {"w": [1.0, 2.0, 0.5, 1.0]}}),
        ("sqeuclidean", {}),
        (lambda a, b: float(np.abs(a - b).max()), {}),
    ],
)
def test_metrics_are_scikit_learns(metric, parameters):
    X, queries = blobs(120), blobs(20, seed=1)
    reference = sklearn.neighbors.NearestNeighbors(
        n_neighbors=5, algorithm="brute", metric=metric, **parameters
    )
    found = NearestNeighbors(metric=metric, **parameters).fit(X)
    distances, rows = reference.fit(X).kneighbors(queries)
    found_distances, found_rows = found.kneighbors(queries)
    np.testing.assert_array_equal(found_rows, rows)
    np.testing.assert_allclose(found_distances, distances, atol=1e-12)


def test_largest_inner_products_come_first():
    X, queries = blobs(120), blobs(20, seed=1)
    distances, rows = NearestNeighbors(metric="inner_product").fit(X).kneighbors(queries)
    np.testing.assert_array_equal(rows, np.argsort(-queries @ X.T, axis=1)[:, :5])
    np.testing.assert_allclose(distances, np.sort(-queries @ X.T, axis=1)[:, :5])


def test_haversine():
    places = np.radians([[52.5, 13.4], [48.9, 2.4], [40.7, -74.0], [-33.9, 151.2]])
    reference = sklearn.neighbors.NearestNeighbors(
        n_neighbors=2, algorithm="brute", metric="haversine"
    ).fit(places)
    found = NearestNeighbors(n_neighbors=2, metric="haversine").fit(places)
    for one, other in zip(found.kneighbors(), reference.kneighbors(), strict=True):
        np.testing.assert_allclose(one, other)


def test_attributes():
    model = NearestNeighbors(metric="minkowski", p=1).fit(blobs())
    assert (model.effective_metric_, model.effective_metric_params_) == ("manhattan", {})
    assert (model.n_samples_fit_, model.n_features_in_, model.algorithm_) == (300, 4, "brute")
    assert NearestNeighbors(algorithm="kd_tree").fit(blobs()).algorithm_ == "kd_tree"
