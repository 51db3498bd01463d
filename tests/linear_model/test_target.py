"""What is to be predicted: columns, values, labels."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from shoal import open_dataset
from shoal.exceptions import DataError, ParameterError, SchemaError
from shoal.linear_model.target import (
    TargetSums,
    check_numeric_column,
    coded,
    found_classes,
    n_outputs,
    numeric_target,
    weights_of,
)

X = np.ones((6, 2))
Y = np.array([0, 2, 2, 5, 5, 5])


def read(dataset):
    (block,) = [block for cell in dataset.cells for block in dataset.read(cell, 100)]
    return block


def test_columns_stay_names():
    assert numeric_target("y") == "y"


def test_numbers_in_objects_are_numbers():
    found = numeric_target(np.array([1, 2.5, "3"], dtype=object))
    np.testing.assert_array_equal(found, [1, 2.5, 3])
    with pytest.raises(SchemaError, match="could not convert"):
        numeric_target(np.array(["a", "b"]))


def test_columns_of_words_are_no_numbers(tmp_path):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"x": [1.0, 2.0], "kind": ["a", "b"]})
    with pytest.raises(SchemaError, match="'kind' must be a number"):
        check_numeric_column(open_dataset(table, target="kind"))
    check_numeric_column(open_dataset(table, features=["x"], target="x"))


def test_outputs():
    assert n_outputs(open_dataset(X, target=Y)) == 1
    assert n_outputs(open_dataset(X, target=0)) == 1
    assert n_outputs(open_dataset(X, target=np.column_stack([Y, Y, Y]))) == 3


def test_classes_and_codes():
    dataset = open_dataset(X, target=Y)
    found = found_classes(dataset)
    np.testing.assert_array_equal(found.labels, [0, 2, 5])
    np.testing.assert_array_equal(found.weights, [1, 2, 3])
    block = read(coded(dataset, found, np.array([-1.0, 0.0, 1.0]), None))
    np.testing.assert_array_equal(block.target, [-1, 0, 0, 1, 1, 1])
    assert block.sample_weight is None


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 5: 0.25}])
def test_class_weights_are_scikit_learns(class_weight):
    weight = np.array([1.0, 1, 0, 2, 3, 1])
    dataset = open_dataset(X, target=Y, sample_weight=weight)
    block = read(coded(dataset, found_classes(dataset), np.arange(3.0), class_weight))
    of_class = compute_class_weight(class_weight, classes=np.unique(Y), y=Y, sample_weight=weight)
    expected = weight * of_class[np.searchsorted([0, 2, 5], Y)]
    np.testing.assert_allclose(block.sample_weight, expected, rtol=1e-15)


def test_classes_that_weigh_nothing_are_none():
    with pytest.raises(DataError, match="only one class: 5"):
        found_classes(open_dataset(X, target=Y, sample_weight=(Y == 5).astype(float)))


def test_weights_that_are_all_zero():
    with pytest.raises(DataError, match="sample_weight is all zero"):
        found_classes(open_dataset(X, target=Y, sample_weight=np.zeros(6)))


def test_bad_class_weights():
    dataset = open_dataset(X, target=Y)
    found = found_classes(dataset)
    with pytest.raises(ParameterError, match=r"\[2, 5\], are not in class_weight"):
        coded(dataset, found, np.arange(3.0), {0: 1.0, 9: 2.0})
    coded(dataset, found, np.arange(3.0), {0: 1.0, 2: 1.0, 5: 1.0, 9: 2.0})


def test_sums_of_a_block():
    block = read(open_dataset(X, target=Y, sample_weight=np.arange(6.0)))
    np.testing.assert_array_equal(TargetSums()(block), [np.arange(6), np.arange(6) * Y])
    np.testing.assert_array_equal(weights_of(read(open_dataset(X))), np.ones(6))
