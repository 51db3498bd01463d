"""Classification by all rows within a radius."""

import numpy as np
import pytest
from tests.neighbors.rows import blobs
from tests.neighbors.test_voting import TARGETS, both

from shoal.exceptions import DataError, ParameterError
from shoal.neighbors import RadiusNeighborsClassifier


@pytest.mark.filterwarnings("ignore:Outlier label")
@pytest.mark.parametrize("outlier_label", ["most_frequent", 2, 9])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("target", ["one", "two"])
def test_labels_and_shares_are_scikit_learns(target, weights, outlier_label):
    X, y = blobs(), TARGETS[target](np.random.default_rng(0))
    queries = blobs(80, seed=1)
    found, reference = both(
        "RadiusNeighborsClassifier", radius=1.2, weights=weights, outlier_label=outlier_label
    )
    found.fit(X, y), reference.fit(X, y)
    np.testing.assert_array_equal(found.predict(queries), reference.predict(queries))
    np.testing.assert_allclose(found.predict_proba(queries), reference.predict_proba(queries))
    np.testing.assert_array_equal(found.outlier_label_, reference.outlier_label_)


def test_labels_of_text_keep_all_their_letters():
    model = RadiusNeighborsClassifier(1.0, outlier_label="nowhere").fit([[0.0], [9.0]], ["a", "b"])
    assert model.predict([[0.0], [5.0], [9.5]]).tolist() == ["a", "nowhere", "b"]


def test_queries_that_nobody_votes_for():
    X, y, far = blobs(), np.arange(300) % 3, np.full((2, 4), 1e3)
    with pytest.raises(DataError, match="No neighbors found for 2 of the queries"):
        RadiusNeighborsClassifier().fit(X, y).predict(far)
    model = RadiusNeighborsClassifier(outlier_label=7).fit(X, y)
    assert model.predict(far).tolist() == [7, 7]
    with pytest.warns(UserWarning, match="Outlier label 7 is not in training classes"):
        assert not model.predict_proba(far).any()


def test_bad_labels_of_outliers():
    X, y = blobs(), np.arange(300) % 3
    with pytest.raises(ParameterError, match="inconsistent with the output length"):
        RadiusNeighborsClassifier(outlier_label=[1, 2]).fit(X, y)
    with pytest.raises(ParameterError, match="supposed to be a scalar"):
        RadiusNeighborsClassifier(outlier_label="x").fit(X, y)
