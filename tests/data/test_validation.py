"""What estimators are given, as datasets, with names and counts checked."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import DataConversionWarning

from shoal import open_dataset
from shoal.data.validation import fit_dataset, predict_dataset, target_role
from shoal.exceptions import ColumnError, DataError

X = np.arange(12.0).reshape(4, 3)


class Estimator(BaseEstimator):
    pass


@pytest.fixture
def path(tmp_path):
    pq.write_table(
        pa.table({name: X[:, j] for j, name in enumerate("abc")}), tmp_path / "x.parquet"
    )
    return tmp_path / "x.parquet"


def frame(kind=pd.DataFrame):
    return kind({name: X[:, j] for j, name in enumerate("abc")})


def fitted(X, **roles):
    estimator = Estimator()
    fit_dataset(estimator, X, **roles)
    return estimator


def rows(dataset):
    return np.vstack([block.X for cell in dataset.cells for block in dataset.read(cell, 100)])


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_names_of_frames_are_kept(kind):
    estimator = fitted(frame(kind))
    assert list(estimator.feature_names_in_) == ["a", "b", "c"]
    assert estimator.n_features_in_ == 3


def test_names_of_files_are_kept(path):
    for data in (path, str(path), [path], open_dataset(path)):
        estimator = fitted(data)
        assert list(estimator.feature_names_in_) == ["a", "b", "c"]
        assert estimator.feature_names_in_.dtype == object
        assert estimator.n_features_in_ == 3


def test_arrays_have_no_names():
    estimator = fitted(frame())
    fit_dataset(estimator, X)
    assert not hasattr(estimator, "feature_names_in_")
    assert fitted(X).n_features_in_ == 3


def test_only_features_are_named(path):
    for data in (path, frame()):
        assert list(fitted(data, features=["c", "a"]).feature_names_in_) == ["c", "a"]
        estimator = fitted(data, sample_weight="b", target="a")
        assert list(estimator.feature_names_in_) == ["c"]
        assert estimator.n_features_in_ == 1


def test_files_give_the_features_of_the_fit_in_its_order(path):
    estimator = fitted(frame()[["c", "a"]])
    np.testing.assert_array_equal(rows(predict_dataset(estimator, path)), X[:, [2, 0]])
    weighted = predict_dataset(estimator, path, sample_weight="b")
    assert weighted.feature_names == ("c", "a")
    assert weighted.sample_weight == 1


def test_files_without_a_feature_of_the_fit_are_refused(path):
    with pytest.raises(ColumnError, match="no column 'd'"):
        predict_dataset(fitted(pd.DataFrame({"a": [1.0], "d": [2.0]})), path)
    with pytest.raises(DataError, match="X has 3 features, but Estimator is expecting 2"):
        predict_dataset(fitted(X[:, :2]), path)


def test_datasets_must_have_the_features_of_the_fit(path):
    estimator = fitted(path)
    dataset = open_dataset(path)
    assert predict_dataset(estimator, dataset) is dataset
    for features in (["a", "b"], ["b", "a", "c"]):
        with pytest.raises(ColumnError, match=r"Open the dataset with features=\['a', 'b', 'c'\]"):
            predict_dataset(estimator, open_dataset(path, features=features))
    with pytest.raises(DataError, match="X has 3 features, but Estimator is expecting 2"):
        predict_dataset(fitted(X[:, :2]), dataset)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_frames_must_have_the_features_of_the_fit(kind):
    estimator = fitted(frame(kind))
    np.testing.assert_array_equal(rows(predict_dataset(estimator, frame(kind))), X)
    with pytest.raises(ValueError, match="feature names should match those that were passed"):
        predict_dataset(estimator, frame(kind)[["a", "b"]])
    with pytest.raises(ValueError, match="same order"):
        predict_dataset(estimator, frame(kind)[["b", "a", "c"]])


def test_arrays_must_have_as_many_features():
    estimator = fitted(X)
    np.testing.assert_array_equal(rows(predict_dataset(estimator, X)), X)
    with pytest.raises(ValueError, match="X has 2 features, but Estimator is expecting 3"):
        predict_dataset(estimator, X[:, :2])


def test_checking_changes_no_estimator(path):
    estimator = fitted(path)
    before = dict(vars(estimator))
    predict_dataset(estimator, path)
    with pytest.raises(ValueError, match="feature names"):
        predict_dataset(estimator, frame()[["a"]])
    assert vars(estimator) == before


@pytest.mark.parametrize("name", ["y", 3, np.int64(3)])
def test_columns_named_as_targets_stay_names(name):
    assert target_role(Estimator(), X, name) == name


def test_values_of_a_target():
    Y = np.array([0, 2, 2, 5])
    np.testing.assert_array_equal(target_role(Estimator(), X, list(Y)), Y)
    with pytest.warns(DataConversionWarning):
        np.testing.assert_array_equal(target_role(Estimator(), X, Y[:, None]), Y)
    two = np.column_stack([Y, Y])
    np.testing.assert_array_equal(target_role(Estimator(), X, two, multi_output=True), two)
    with pytest.raises(ValueError, match="1d array"):
        target_role(Estimator(), X, two)


def test_frames_may_have_the_target_and_the_weight_in_columns():
    frame = pd.DataFrame(X, columns=["a", "y", "w"])
    model = Estimator()
    fit_dataset(model, frame, target="y", sample_weight="w")
    dataset = predict_dataset(model, frame[["w", "y", "a"]], target="y", sample_weight="w")
    assert dataset.feature_names == ("a",)
    with pytest.raises(DataError, match="unseen at fit time"):
        predict_dataset(model, frame)


def test_several_targets_are_an_error_where_one_is_needed():
    with pytest.raises(DataError, match=r"shape \(4, 2\).*Estimator takes one target a row"):
        target_role(Estimator(), X, np.ones((4, 2)))
    assert target_role(Estimator(), X, np.ones((4, 2)), multi_output=True).shape == (4, 2)
