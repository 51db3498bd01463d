"""Inertia and labels."""

import numpy as np
import pytest
from tests.statistics.rows import FORMS, blobs, exact, fold, forms, weights

from shoal import open_dataset
from shoal.statistics.assignment import Assignment
from shoal.statistics.center_search import CenterSearch
from shoal.statistics.nearest_center import nearest_center
from shoal.statistics.range import Range
from shoal.testing import check_statistic


def assignment_of(dataset, centers, *, n_labels=0):
    search = CenterSearch(centers, centers.mean(axis=0, dtype=np.float64), "fit", 0)
    return Assignment.within(fold(Range(dataset.n_features), dataset), search, n_labels)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
def test_is_the_exact_inertia_in_any_split(form, dtype, weighted):
    X = blobs(dtype=dtype)
    weight = weights() if weighted else None
    dataset = forms(X, weight)[form]
    centers = np.ascontiguousarray(X[[3, 50, 51]])
    statistic = assignment_of(dataset, centers, n_labels=dataset.n_rows)
    check_statistic(statistic, dataset)
    found = fold(statistic, dataset)
    labels, _ = nearest_center(X, centers, np.zeros(3))
    squares = (X.astype(np.longdouble) - centers.astype(np.longdouble)[labels]) ** 2
    expected = (squares.sum(axis=1) * (1 if weight is None else weight)).sum()
    assert found.inertia == pytest.approx(float(expected), rel=1e-14)
    np.testing.assert_array_equal(found.counts, np.bincount(labels, minlength=3))
    if form == "dropped":
        labels = np.insert(labels, [0, len(X) // 2, len(X)], -1)
    np.testing.assert_array_equal(found.labels, labels)
    assert found.labels.dtype == np.int32


def test_labels_are_kept_only_where_they_are_wanted():
    dataset = open_dataset(blobs())
    assert fold(assignment_of(dataset, blobs()[:2].copy()), dataset).labels is None


def test_inertia_loses_nothing_far_from_the_origin():
    X = np.float64(1e8) + np.arange(12).reshape(-1, 1) / 8
    dataset = open_dataset(X)
    found = fold(assignment_of(dataset, X[[2, 9]].copy()), dataset)
    expected = exact([min(abs(i - 2), abs(i - 9)) ** 2 / 64 for i in range(12)])
    assert found.inertia == float(expected)


def test_centres_outside_the_range_of_the_rows_do_not_overflow():
    dataset = open_dataset(np.zeros((1000, 2)))
    assert fold(assignment_of(dataset, np.full((1, 2), 1e100)), dataset).inertia == 2e203
