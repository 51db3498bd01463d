"""Classification by the neighbours' votes, beside scikit-learn's."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import sklearn.neighbors
from sklearn.exceptions import DataConversionWarning
from tests.neighbors.rows import blobs, parquet

import shoal.neighbors
from shoal.exceptions import DataError

TARGETS = {
    "one": lambda g: g.integers(0, 4, 300),
    "text": lambda g: np.array(["d", "a", "c"])[g.integers(0, 3, 300)],
    "two": lambda g: g.integers(0, 3, (300, 2)),
}
WEIGHTS = {"uniform": "uniform", "distance": "distance", "callable": lambda d: np.exp(-d)}


def both(name, **parameters):
    return (
        getattr(package, name)(**parameters) for package in (shoal.neighbors, sklearn.neighbors)
    )


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("target", TARGETS)
def test_labels_and_shares_are_scikit_learns(target, weights, own):
    X, y = blobs(), TARGETS[target](np.random.default_rng(0))
    queries = None if own else blobs(80, seed=1)
    found, reference = both("KNeighborsClassifier", weights=WEIGHTS[weights], n_neighbors=4)
    found.fit(X, y), reference.fit(X, y)
    np.testing.assert_array_equal(found.predict(queries), reference.predict(queries))
    np.testing.assert_allclose(found.predict_proba(queries), reference.predict_proba(queries))
    assert found.outputs_2d_ == reference.outputs_2d_
    np.testing.assert_array_equal(found.classes_, reference.classes_)


def test_equal_votes_go_to_the_first_class():
    model = shoal.neighbors.KNeighborsClassifier(2).fit([[0.0], [1.0]], ["b", "a"])
    assert model.predict([[0.1]]).tolist() == ["a"]


def test_predictions_in_a_file(tmp_path):
    X, y = blobs(), np.array(["d", "a", "c"])[np.arange(300) % 3]
    path = parquet(X, tmp_path / "x.parquet", y)
    model = shoal.neighbors.KNeighborsClassifier().fit(path, "y")
    assert list(model.feature_names_in_) == ["x0", "x1", "x2", "x3"]
    written = model.predict(path, out=tmp_path / "labels.parquet")
    labels = pq.read_table(written)["label"].to_pylist()
    assert labels == model.predict(path).tolist()
    assert labels == shoal.neighbors.KNeighborsClassifier().fit(X, y).predict(X).tolist()


def test_bad_targets_and_votes():
    X, y = blobs(), np.arange(300) % 3
    with pytest.raises(DataError, match="requires y to be passed"):
        shoal.neighbors.KNeighborsClassifier().fit(X)
    with pytest.raises(DataError, match="inconsistent numbers of samples"):
        shoal.neighbors.KNeighborsClassifier().fit(X, y[:-1])
    with pytest.warns(DataConversionWarning, match="column-vector"):
        assert shoal.neighbors.KNeighborsClassifier().fit(X, y[:, None]).predict(X).ndim == 1
    model = shoal.neighbors.KNeighborsClassifier(weights=np.zeros_like).fit(X, y)
    with pytest.raises(DataError, match="zero weights"):
        model.predict(X)
