"""What near means."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import pairwise_distances

from shoal import open_dataset
from shoal.exceptions import DataError, ParameterError
from shoal.statistics.metric import Metric, is_among, kept_strips, row_strips
from shoal.testing.bits import bits


@pytest.mark.parametrize(
    ("name", "p", "parameters", "expected"),
    [
        ("minkowski", 2, None, Metric("euclidean")),
        ("minkowski", 1, None, Metric("manhattan")),
        ("minkowski", np.inf, None, Metric("chebyshev")),
        ("minkowski", 3, None, Metric("minkowski", {"p": 3})),
        ("minkowski", 2, {"p": 1}, Metric("manhattan")),
        ("minkowski", 2, {"w": [1, 2]}, Metric("minkowski", {"p": 2, "w": [1, 2]})),
        ("l2", 7, None, Metric("euclidean")),
        ("cityblock", 2, None, Metric("manhattan")),
        ("infinity", 2, None, Metric("chebyshev")),
        ("p", 1.5, None, Metric("minkowski", {"p": 1.5})),
        ("minkowski", 0.5, None, Metric("minkowski", {"p": 0.5})),
        ("minkowski", 1, {"w": None}, Metric("manhattan")),
    ],
)
def test_scikit_learns_names(name, p, parameters, expected):
    assert Metric.of(name, p, parameters) == expected


@pytest.mark.parametrize(
    ("name", "p", "parameters", "message"),
    [
        ("nan_euclidean", 2, None, "missing='drop'"),
        (["euclidean"], 2, None, r"metric=\['euclidean'\] is not known"),
        ("minkowski", 0, None, "'p' of metric='minkowski' must be a number above 0. Got 0"),
        ("minkowski", 2, {"p": -1}, "Got -1"),
        ("minkowski", "2", None, "Got '2'"),
        ("minkowski", np.nan, None, "Got nan"),
        ("euclidean", 2, {"w": [1, 2]}, "no parameter 'w' in metric_params; it has none"),
        ("minkowski", 2, {"q": 1}, "no parameter 'q' in metric_params; it has 'p', 'w'"),
        ("mahalanobis", 2, {"V": np.eye(2)}, "no parameter 'V' in metric_params; it has 'VI'"),
        ("mahalanobis", 2, None, "needs metric_params={'VI': ...}: the inverse of a covariance"),
        ("minkowski", 2, 3, "metric_params=3: it is a dict or None"),
        ("seuclidean", 2, None, "needs metric_params={'V': ...}: the variance of each feature"),
    ],
)
def test_unknown_parameters(name, p, parameters, message):
    with pytest.raises(ParameterError, match=message):
        Metric.of(name, p, parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("seuclidean", {"V": np.ones(3)}, r"shape \(2,\), for 2 features. Got float64 of shape"),
        ("seuclidean", {"V": [1.0, 0.0]}, "must be above 0"),
        ("mahalanobis", {"VI": np.ones(2)}, r"shape \(2, 2\), for 2 features"),
        ("mahalanobis", {"VI": np.full((2, 2), np.nan)}, "finite numbers"),
        ("minkowski", {"w": [1.0, -1.0]}, "must be at least 0. Got -1.0"),
        ("canberra", {"w": ["a", "b"]}, "must be finite numbers"),
    ],
)
def test_arrays_that_do_not_suit_the_features(name, parameters, message):
    with pytest.raises(ParameterError, match=message):
        Metric.of(name, 2, parameters).check_width(2)


def test_unknown_names_and_widths():
    with pytest.raises(ParameterError, match="metric='nearness' is not known"):
        Metric.of("nearness", 2, None)
    with pytest.raises(DataError, match="latitude and longitude"):
        Metric("haversine").check_width(3)


@pytest.mark.parametrize("name", ["euclidean", "sqeuclidean", "cosine", "inner_product"])
def test_reduced_is_the_inverse_of_distances(name):
    metric = Metric(name)
    assert metric.distances(np.array([metric.reduced(0.75)])).tolist() == [0.75]


@pytest.mark.parametrize("root", [0.0, 5e-324, 1e-160, 0.1, 0.3, 1.0, 3.0, 1e10, 1e153, np.inf])
def test_the_square_of_a_radius_is_the_largest_whose_root_is_within(root):
    square = Metric("euclidean").reduced(root)
    assert np.sqrt(square) <= root
    assert square == np.inf or np.sqrt(np.nextafter(square, np.inf)) > root


def test_pairwise_of_each_metric():
    Q, X = np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([[3.0, -4.0]])
    assert Metric("manhattan").pairwise(Q, X).tolist() == [[7.0], [8.0]]
    assert Metric("chebyshev").pairwise(Q, X).tolist() == [[4.0], [6.0]]
    assert Metric("hamming").pairwise(Q, X).tolist() == [[1.0], [1.0]]
    cubes = Metric("minkowski", {"p": 3}).pairwise(Q, X)
    np.testing.assert_allclose(cubes**3, [[91.0], [224.0]])
    quarter = Metric("haversine").pairwise(np.zeros((1, 2)), np.array([[np.pi / 2, 0.0]]))
    np.testing.assert_allclose(quarter, [[np.pi / 2]])
    assert Metric(lambda a, b: a[0] - b[0]).pairwise(Q, X).tolist() == [[-3.0], [-2.0]]


_GENERATOR = np.random.default_rng(0)
_V, _W = _GENERATOR.uniform(0.5, 2, 5), _GENERATOR.uniform(0, 2, 5)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("seuclidean", {"V": _V}),
        ("mahalanobis", {"VI": np.diag(_V) + 0.1}),
        ("minkowski", {"p": 3, "w": _W}),
        ("minkowski", {"p": 1, "w": _W}),
        ("minkowski", {"p": 0.5}),
        *((name, {"w": _W}) for name in ("chebyshev", "hamming", "canberra")),
        *((name, {}) for name in ("canberra", "braycurtis", "correlation")),
        *((name, {}) for name in ("jaccard", "dice", "rogerstanimoto", "russellrao")),
        *((name, {}) for name in ("sokalsneath", "yule")),
    ],
)
def test_distances_are_scikit_learns_whatever_the_blocks(name, parameters):
    Q, X = (np.random.default_rng(seed).integers(0, 3, (30, 5)) + 0.0 for seed in (1, 2))
    truth = name in {"jaccard", "dice", "rogerstanimoto", "russellrao", "sokalsneath", "yule"}
    if not truth and name != "hamming":
        Q, X = Q + 0.1 * np.arange(5), X + 0.1 * np.arange(5)[::-1]
    metric = Metric.of(name, 2, parameters)
    found = metric.pairwise(Q, X)
    asked = (Q.astype(bool), X.astype(bool)) if truth else (Q, X)
    expected = pairwise_distances(*asked, name, **parameters)
    np.testing.assert_allclose(found, np.where(np.isnan(expected), np.inf, expected), rtol=1e-13)
    blocks = [metric.pairwise(np.asfortranarray(Q), X[start : start + 7]) for start in (0, 7, 14)]
    assert bits(np.hstack(blocks)) == bits(np.ascontiguousarray(found[:, :21]))


def test_undefined_distances_are_infinite():
    none, one = np.zeros((1, 3)), np.array([[0.0, 1.0, 0.0]])
    assert Metric("dice").pairwise(none, np.vstack([none, one])).tolist() == [[np.inf, 1.0]]
    assert Metric("correlation").pairwise(none, one).tolist() == [[np.inf]]


@pytest.mark.parametrize("form", [np.asfortranarray, sparse.csr_array, np.ascontiguousarray])
def test_strips_are_the_rows_without_those_removed(form):
    X = np.random.default_rng(0).normal(size=(500, 40))
    dataset = open_dataset(form(X))
    (block,) = dataset.read(dataset.cells[0], 500)
    removed = np.array([0, 7, 499])
    parts = list(row_strips(block, removed, 100_000))
    assert len(parts) > 5
    assert all(rows.flags.c_contiguous for rows, _ in parts)
    np.testing.assert_array_equal(np.vstack([rows for rows, _ in parts]), X)
    numbers = np.concatenate([numbers for _, numbers in parts])
    assert np.flatnonzero(numbers < 0).tolist() == removed.tolist()
    kept = np.concatenate([numbers for _, numbers in kept_strips(block, removed, 100_000)])
    np.testing.assert_array_equal(kept, np.delete(np.arange(500), removed))


def test_is_among():
    assert is_among(np.array([0, 3, 4, 9]), np.array([3, 9])).tolist() == [False, True, False, True]
