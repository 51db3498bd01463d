"""Distinct labels against NumPy's."""

import numpy as np
import pytest
from tests.statistics.rows import exact, fold, weights

from shoal import open_dataset
from shoal.exceptions import DataError
from shoal.statistics.classes import Classes
from shoal.testing import check_statistic

X = np.zeros((200, 1))
NUMBERS = np.random.default_rng(0).integers(-3, 4, size=200)
TARGETS = {
    "integers": NUMBERS,
    "whole floats": NUMBERS.astype(float),
    "booleans": NUMBERS > 0,
    "text": np.array(["ham", "spam", "eggs"])[NUMBERS % 3],
    "objects": np.array(["ham", "spam", "eggs"], dtype=object)[NUMBERS % 3],
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", TARGETS)
def test_is_numpys(kind, weighted):
    target, weight = TARGETS[kind], weights(200)
    dataset = open_dataset(X, target=target, sample_weight=weight if weighted else None)
    check_statistic(Classes(), dataset)
    found = fold(Classes(), dataset, max_rows=7)
    labels, places = np.unique(target, return_inverse=True)
    assert found.labels.dtype == target.dtype
    np.testing.assert_array_equal(found.labels, labels)
    expected = [float(exact(weight[places == k])) for k in range(len(labels))]
    np.testing.assert_array_equal(found.weights, expected if weighted else np.bincount(places))


def test_labels_that_come_late_are_found():
    target = np.array([0, 0, 1, 1, 0, 5, 5, -2, 0])
    found = fold(Classes(), open_dataset(X[:9], target=target), max_rows=2)
    np.testing.assert_array_equal(found.labels, [-2, 0, 1, 5])
    np.testing.assert_array_equal(found.weights, [1, 4, 2, 2])


@pytest.mark.parametrize("row", [0, 150, 999])
def test_labels_of_one_row_are_found_wherever_it_is(row):
    target = np.where(np.arange(1000) == row, -4, 1)
    found = fold(Classes(), open_dataset(np.zeros((1000, 1)), target=target), max_rows=1000)
    np.testing.assert_array_equal(found.labels, [-4, 1])
    np.testing.assert_array_equal(found.weights, [1, 999])


@pytest.mark.parametrize("row", [0, 150, 999])
def test_continuous_targets_are_no_classes(row):
    target = np.where(np.arange(1000) == row, 0.5, 1.0)
    with pytest.raises(DataError, match=r"Unknown label type: continuous.* 0\.5"):
        fold(Classes(), open_dataset(np.zeros((1000, 1)), target=target))


def test_names_of_rows_are_no_classes():
    dataset = open_dataset(np.zeros((20_000, 1)), target=np.arange(20_000))
    with pytest.raises(DataError, match="more than 10,000 different labels"):
        fold(Classes(), dataset, max_rows=5000)


def test_no_rows():
    with pytest.raises(DataError, match="0 sample"):
        Classes().result(Classes().zero())


def mixed(texts, numbers):
    return np.concatenate([np.array(texts, dtype=object), np.array(numbers, dtype=object)])


@pytest.mark.parametrize(
    "target",
    [
        np.array([1, "a"] * 100, dtype=object),
        mixed(["a"] * 100, [1] * 100),
        mixed([1] * 100, ["a"] * 100),
        mixed([f"a{i}" for i in range(100)], [1] * 100),
    ],
    ids=["within a block", "numbers later", "text later", "after many"],
)
def test_labels_that_cannot_be_sorted_are_told(target):
    with pytest.raises(DataError, match=r"all of one kind.* int, str"):
        fold(Classes(), open_dataset(X, target=target), max_rows=10)


@pytest.mark.parametrize("is_text_first", [False, True])
def test_partials_of_text_and_of_numbers_do_not_merge(is_text_first):
    classes, X = Classes(), np.zeros((2, 1))
    parts = [
        classes.update(classes.zero(), next(dataset.read(dataset.cells[0], 2)))
        for dataset in (open_dataset(X, target=np.array(y)) for y in ([1, 2], ["1", "b"]))
    ]
    with pytest.raises(DataError, match=r"all of one kind.* int, str"):
        classes.merge(*parts[:: -1 if is_text_first else 1])
