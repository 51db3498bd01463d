"""All classifiers take and refuse the same labels, in arrays and in columns."""

import numpy as np
import pandas as pd
import pytest

from shoal.cluster import SeededKMeans
from shoal.exceptions import DataError
from shoal.linear_model import LogisticRegression, SGDClassifier
from shoal.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from shoal.semi_supervised import LabelPropagation, LabelSpreading, SelfTrainingClassifier

CLASSIFIERS = [
    LogisticRegression(),
    SGDClassifier(random_state=0),
    KNeighborsClassifier(1),
    RadiusNeighborsClassifier(1e-3),
    LabelPropagation(),
    LabelSpreading(),
    SelfTrainingClassifier(LogisticRegression()),
]
X = np.arange(40.0).reshape(20, 2) / 20 - 1
IS_RIGHT = X[:, 0] > 0
MODELS = [*CLASSIFIERS, SeededKMeans(2)]
pytestmark = [
    pytest.mark.filterwarnings("ignore:y contains no unlabeled"),
    pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__),
]


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float64, "U2"])
def test_objects_are_what_they_hold(model, dtype):
    labels = np.where(IS_RIGHT, "12", "11") if dtype == "U2" else IS_RIGHT.astype(dtype)
    model.fit(X, labels.astype(object))
    assert model.classes_.tolist() == np.unique(labels).tolist()
    if dtype != "U2":
        assert model.classes_.dtype == labels.dtype
    if not isinstance(model, SeededKMeans):
        assert model.predict(X).tolist() == labels.tolist()
        assert model.score(X, labels.astype(object)) == 1


@pytest.mark.parametrize("is_object", [False, True])
def test_bytes_are_refused(model, is_object):
    labels = np.where(IS_RIGHT, b"x", b"y").astype(object if is_object else "S1")
    with pytest.raises(DataError, match=r"all of one kind, but there are bytes\. Convert them"):
        model.fit(X, labels)


def test_columns_that_are_no_labels_are_refused(model, tmp_path):
    path = tmp_path / "rows.parquet"
    days = pd.date_range("2020-01-01", periods=20)
    pd.DataFrame({"x": X[:, 0], "y": days}).to_parquet(path)
    with pytest.raises(DataError, match="all of one kind, but there are datetime"):
        model.fit(path, "y")


def test_scores_of_columns_are_those_of_arrays(model, tmp_path):
    if isinstance(model, SeededKMeans):
        pytest.skip("Its score knows no labels.")
    path = tmp_path / "rows.parquet"
    frame = pd.DataFrame({"x": X[:, 0], "y": np.where(IS_RIGHT, "b", "a")})
    frame.loc[:3, "y"] = "b"
    frame.to_parquet(path)
    expected = model.fit(X[:, :1], frame["y"].to_numpy()).score(X[:, :1], frame["y"].to_numpy())
    assert model.fit(path, "y").score(path, "y") == expected
    assert model.fit(frame, "y").score(frame, "y") == expected
