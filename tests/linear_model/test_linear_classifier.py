"""Decisions, probabilities and scores of classifiers."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score
from tests.linear_model.models import labels, parquet, rows, weights

from shoal.exceptions import DataError
from shoal.linear_model import LogisticRegression

WORDS = np.array(["ham", "spam", "eggs"])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_largest_raw_prediction_decides(n_classes):
    X = rows()
    y = WORDS[labels(X, n_classes)]
    model = LogisticRegression().fit(X, y)
    scores, raw = model.decision_function(X), X @ model.coef_.T + model.intercept_
    assert model.classes_.tolist() == sorted(set(y))
    np.testing.assert_allclose(scores, raw[:, 0] if n_classes == 2 else raw, rtol=1e-12)
    chosen = (scores > 0).astype(int) if n_classes == 2 else scores.argmax(axis=1)
    np.testing.assert_array_equal(model.predict(X), model.classes_[chosen])
    weight = weights(len(X))
    expected = accuracy_score(y, model.predict(X), sample_weight=weight)
    assert model.score(X, y, weight) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_add_up_to_one(n_classes):
    X = rows()
    model = LogisticRegression().fit(X, labels(X, n_classes))
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (200, n_classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), probabilities, rtol=1e-14)


def test_small_probabilities_keep_their_digits():
    X = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    model = LogisticRegression().fit(X, [0, 1, 0, 1])
    far = np.array([[100 / model.coef_[0, 0]], [-100 / model.coef_[0, 0]]])
    probabilities = model.predict_proba(far - model.intercept_ / model.coef_[0, 0])
    np.testing.assert_allclose(probabilities[[0, 1], [0, 1]], np.exp(-100), rtol=1e-10)


@pytest.mark.parametrize("kind", [object, str])
def test_labels_of_words_are_written(tmp_path, kind):
    X = rows()
    y = WORDS[labels(X, 3)].astype(kind)
    path = parquet(tmp_path / "rows.parquet", X, kind=y.astype(object))
    model = LogisticRegression().fit(path, "kind")
    written = model.predict(path, out=tmp_path / "labels.parquet")
    assert pq.read_table(written)["label"].to_pylist() == model.predict(path).tolist()
    assert model.score(path, "kind") == (model.predict(path) == y).mean()


def test_unknown_labels_count_as_wrong():
    X = rows()
    y = WORDS[labels(X)]
    model = LogisticRegression().fit(X, y)
    assert model.score(X, np.where(np.arange(200) < 100, y, "eggs")) == pytest.approx(
        model.score(X[:100], y[:100]) / 2
    )


def test_columns_of_words_are_no_features(tmp_path):
    X = rows()
    path = parquet(tmp_path / "rows.parquet", X, kind=WORDS[labels(X)], name=["a"] * 200)
    with pytest.raises(DataError, match="'name' is not"):
        LogisticRegression().fit(path, "kind")


@pytest.mark.parametrize("dtype", ["U1", object])
def test_text_is_no_number(dtype):
    X = rows()
    y = labels(X, 2)
    model = LogisticRegression().fit(X, y)
    with pytest.raises(DataError, match=r"labels such as '.', but the model learnt \[0, 1\]"):
        model.score(X, y.astype(str).astype(dtype))
    text = LogisticRegression().fit(X, y.astype(str).astype(dtype))
    with pytest.raises(DataError, match=r"labels such as ., but the model learnt \['0', '1'\]"):
        text.score(X, y)
    assert text.score(X, y.astype(str)) == text.score(X, y.astype(str).astype(object))
    assert model.score(X, y.astype(float)) == model.score(X, y.astype(object))
