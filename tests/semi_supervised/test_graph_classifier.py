"""Classifiers on graphs against scikit-learn's, on its datasets."""

import numpy as np
import pytest
import sklearn.semi_supervised
from sklearn.datasets import load_digits, load_iris, load_wine
from tests.semi_supervised.rows import blobs, unlabelled

import shoal.semi_supervised
from shoal.semi_supervised import LabelPropagation, LabelSpreading
from shoal.semi_supervised.graph_classifier import shares

NAMES = ("LabelPropagation", "LabelSpreading")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kernel", ["knn", "rbf"])
@pytest.mark.parametrize("load", [load_iris, load_wine, load_digits])
def test_equals_scikit_learns(load, kernel, name):
    X, y = load(return_X_y=True)
    # Rows on a grid have neighbours that are equally near, of which scikit-learn takes any.
    X += np.random.default_rng(1).normal(0, 1e-6, X.shape)
    parameters = {"gamma": 0.01, "max_iter": 60}
    labels = unlabelled(y)
    found = getattr(shoal.semi_supervised, name)(kernel, **parameters).fit(X, labels)
    expected = getattr(sklearn.semi_supervised, name)(kernel, **parameters).fit(X, labels)
    assert found.n_iter_ == expected.n_iter_
    np.testing.assert_array_equal(found.classes_, expected.classes_)
    np.testing.assert_array_equal(found.transduction_, expected.transduction_)
    np.testing.assert_allclose(
        found.label_distributions_, expected.label_distributions_, atol=1e-12
    )
    queries = X[::7] + 0.05
    np.testing.assert_allclose(
        found.predict_proba(queries), expected.predict_proba(queries), atol=1e-12
    )
    np.testing.assert_array_equal(found.predict(queries), expected.predict(queries))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", NAMES)
def test_accuracy_on_digits_as_they_are_is_scikit_learns(name):
    X, y = load_digits(return_X_y=True)
    labels = unlabelled(y)
    found = getattr(shoal.semi_supervised, name)(max_iter=100).fit(X, labels)
    expected = getattr(sklearn.semi_supervised, name)("knn", max_iter=100).fit(X, labels)
    assert (found.transduction_ == y).mean() > 0.95
    assert (found.transduction_ == expected.transduction_).mean() > 0.995


@pytest.mark.parametrize("name", NAMES)
def test_functions_of_rows(name):
    def weights(A, B):
        return 1 / (1 + ((A[:, None] - B) ** 2).sum(axis=2))

    X, _, y = blobs(150)
    found = getattr(shoal.semi_supervised, name)(weights, max_iter=200).fit(X, y)
    expected = getattr(sklearn.semi_supervised, name)(weights, max_iter=200).fit(X, y)
    np.testing.assert_allclose(
        found.label_distributions_, expected.label_distributions_, atol=1e-12
    )
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("model", [LabelPropagation, LabelSpreading])
def test_text_and_missing_labels(model):
    X, _, y = blobs()
    words = np.array(["ham", "eggs", "spam"], dtype=object)[y]
    words[y == -1] = None
    found, expected = model().fit(X, words), model().fit(X, y)
    assert found.classes_.tolist() == ["eggs", "ham", "spam"]
    # In the order of the words.
    np.testing.assert_array_equal(
        found.label_distributions_, expected.label_distributions_[:, [1, 0, 2]]
    )
    np.testing.assert_array_equal(
        found.predict(X), np.array(["ham", "eggs", "spam"])[expected.predict(X)]
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("model", [LabelPropagation, LabelSpreading])
def test_where_no_label_comes(model):
    X = np.array([[0.0], [0.1], [50.0], [50.1]])
    found = model(n_neighbors=2, max_iter=50).fit(X, [3, -1, -1, -1])
    assert found.label_distributions_.tolist() == [[1], [1], [0], [0]]
    assert found.predict_proba([[49.0]]).tolist() == [[0]]


def test_shares():
    assert shares(np.array([[1.0, 3.0], [0.0, 0.0]])).tolist() == [[0.25, 0.75], [0, 0]]
