"""What near means."""

import numpy as np
import pytest
from scipy import sparse

from shoal import open_dataset
from shoal.exceptions import DataError, ParameterError
from shoal.statistics.metric import Metric, is_among, kept_strips, row_strips


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
    ],
)
def test_scikit_learns_names(name, p, parameters, expected):
    assert Metric.of(name, p, parameters) == expected


def test_unknown_names_and_widths():
    with pytest.raises(ParameterError, match="metric='nearness' is not known"):
        Metric.of("nearness", 2, None)
    with pytest.raises(DataError, match="latitude and longitude"):
        Metric("haversine").check_width(3)


@pytest.mark.parametrize("name", ["euclidean", "sqeuclidean", "cosine", "inner_product"])
def test_reduced_is_the_inverse_of_distances(name):
    metric = Metric(name)
    assert metric.distances(np.array([metric.reduced(0.75)])).tolist() == [0.75]


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
