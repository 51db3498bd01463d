"""Rows far from their centres."""

import numpy as np
import pytest
from tests.statistics.rows import FORMS, blobs, fold, forms, weights

from shoal import open_dataset
from shoal.statistics.farthest_rows import FarthestRows
from shoal.statistics.nearest_center import nearest_center
from shoal.testing import check_statistic


@pytest.mark.parametrize("size", [1, 5, 149, 200])
@pytest.mark.parametrize("form", FORMS)
def test_is_a_sort_in_any_split(form, size):
    X, weight = blobs(), weights()
    dataset = forms(X, weight)[form]
    centers = X[:3].copy()
    statistic = FarthestRows(size, centers, X.mean(axis=0))
    check_statistic(statistic, dataset)
    found = fold(statistic, dataset)
    labels, distances = nearest_center(X, centers, np.zeros(3))
    order = np.lexsort((np.arange(len(X)), -distances))
    order = order[weight[order] > 0][:size]
    np.testing.assert_array_equal(found.X, X[order])
    np.testing.assert_array_equal(found.labels, labels[order])
    np.testing.assert_array_equal(found.weights, weight[order])
    np.testing.assert_array_equal(found.distances, distances[order])
    if form != "dropped":
        np.testing.assert_array_equal(found.rows, order)


@pytest.mark.parametrize("max_rows", [1, 2, 3, 100])
def test_ties_go_to_the_lower_row(max_rows):
    X = np.array([[0.0], [2.0], [-2.0], [2.0], [1.0], [-2.0]])
    statistic = FarthestRows(3, np.zeros((1, 1)), np.zeros(1))
    np.testing.assert_array_equal(fold(statistic, open_dataset(X), max_rows).rows, [1, 2, 3])


def test_rows_of_weight_0_are_passed_over():
    X, weight = np.arange(5.0)[:, None], np.array([1.0, 1, 0, 2, 0])
    dataset = open_dataset(X, sample_weight=weight)
    found = fold(FarthestRows(4, np.zeros((1, 1)), np.zeros(1)), dataset)
    np.testing.assert_array_equal(found.rows, [3, 1, 0])
    np.testing.assert_array_equal(found.weights, [2, 1, 1])


def test_pinned_rows_are_passed_over():
    X, pins = np.arange(5.0)[:, None], np.array([-1, -1, 0, -1, 0])
    statistic = FarthestRows(4, np.zeros((1, 1)), np.zeros(1), pinned=True)
    found = fold(statistic, open_dataset(X, target=pins))
    np.testing.assert_array_equal(found.rows, [3, 1, 0])
