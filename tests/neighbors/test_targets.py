"""The targets of a model's rows."""

import numpy as np
import pytest
from tests.neighbors.rows import blobs, parquet

from shoal import open_dataset
from shoal.exceptions import DataError, NonFiniteError
from shoal.neighbors import KNeighborsClassifier, KNeighborsRegressor
from shoal.neighbors.targets import Targets


def of(y):
    return Targets.of(open_dataset(np.ones((len(y), 1)), target=y))


def test_a_column_of_a_file(tmp_path):
    y = np.arange(300) % 7
    path = parquet(blobs(), tmp_path / "x.parquet", y)
    found = Targets.of(open_dataset(path, target="y"))
    np.testing.assert_array_equal(found.values[:, 0], y)
    assert found.is_1d


def test_classes_of_each_output():
    y = np.array([["b", "x"], ["a", "x"], ["b", "y"]])
    classes, codes = of(y).classes()
    assert [one.tolist() for one in classes] == [["a", "b"], ["x", "y"]]
    assert codes.tolist() == [[1, 0], [0, 0], [1, 1]]


def test_added_and_removed():
    found = of([1, 2, 3]).add(of([4, 5])).remove(np.array([0, 3]))
    assert found.values.tolist() == [[2], [3], [5]]
    assert found.shaped(np.ones((4, 1))).shape == (4,)
    with pytest.raises(DataError, match="y has 2 outputs, but the model has 1"):
        found.add(of([[1, 2]]))


def test_text_is_not_added_to_numbers_nor_numbers_to_text():
    with pytest.raises(DataError, match="y is of <U1, but the model's targets are of int64"):
        of([1, 2]).add(of(["a"]))
    with pytest.raises(DataError, match="Give all as text or all as numbers"):
        of(["a"]).add(of([1.5]))
    assert of(["a"]).add(of(["bcd"])).values.tolist() == [["a"], ["bcd"]]
    assert of([1]).add(of([0.5])).values.tolist() == [[1.0], [0.5]]


def test_bad_targets():
    with pytest.raises(DataError, match="requires y to be passed"):
        Targets.of(open_dataset(np.ones((2, 1))))
    with pytest.raises(DataError, match="must be numbers"):
        of(["a", "b"]).numbers()
    with pytest.raises(NonFiniteError, match="infinity in row 1"):
        of([1.0, np.inf]).numbers()
    with pytest.raises(ValueError, match="Unknown label type"):
        of([0.5, 1.5]).classes()


@pytest.mark.parametrize("kind", [KNeighborsClassifier, KNeighborsRegressor])
def test_scores_of_files_and_datasets_are_those_of_arrays(tmp_path, kind):
    X = blobs(200)
    y = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0)
    train, test = parquet(X[:150], tmp_path / "a.parquet", y[:150]), tmp_path / "b.parquet"
    parquet(X[150:], test, y[150:])
    expected = kind(40).fit(X[:150], y[:150]).score(X[150:], y[150:])
    assert expected < 1
    model = kind(40).fit(train, "y")
    assert model.score(test, "y") == expected
    assert model.score(open_dataset(test, target="y")) == expected
    assert model.score(open_dataset(test, features=["x0", "x1", "x2", "x3"]), y[150:]) == expected
    with pytest.raises(DataError, match="requires y to be passed"):
        model.score(open_dataset(test, features=["x0", "x1", "x2", "x3"]))
    weights = np.arange(50.0)
    assert model.score(test, y[150:], weights) == kind(40).fit(X[:150], y[:150]).score(
        X[150:], y[150:], weights
    )


@pytest.mark.parametrize("kind", [KNeighborsClassifier, KNeighborsRegressor])
def test_scores_of_bad_targets_are_errors_of_shoal(kind):
    X = blobs(60)
    y = (X[:, 0] > 0).astype(float)
    model = kind(5).fit(X, y)
    with pytest.raises(NonFiniteError, match="row 7 has no target"):
        model.score(X, np.where(np.arange(60) == 7, np.nan, y))
    with pytest.raises(NonFiniteError, match="row 7 has no target"):
        model.score(open_dataset(X), np.where(np.arange(60) == 7, None, y))
    with pytest.raises(DataError, match="inconsistent numbers of samples"):
        model.score(X, y[:5])
