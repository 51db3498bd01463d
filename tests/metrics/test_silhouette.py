"""Sampled silhouettes against scikit-learn's."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.metrics
from scipy import sparse
from sklearn.cluster import AgglomerativeClustering
from sklearn.exceptions import NotFittedError

from shoal import LocalEngine, open_dataset
from shoal.cluster import KMeans
from shoal.exceptions import DataError, ParameterError
from shoal.metrics import silhouette_score


@pytest.fixture(name="X")
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(np.array([[0.0, 0], [3, 0], [0, 4]]).repeat(400, axis=0))


@pytest.fixture
def model(X):
    return KMeans(3, random_state=0).fit(X)


def test_all_rows_are_scikit_learns(X, model):
    expected = sklearn.metrics.silhouette_score(X, model.labels_)
    assert silhouette_score(X, model.labels_) == pytest.approx(expected, rel=1e-12)
    assert silhouette_score(X, model) == pytest.approx(expected, rel=1e-12)
    assert silhouette_score(sparse.csr_array(X), model) == pytest.approx(expected, rel=1e-9)


def test_a_sample_is_as_near_as_the_docstring_says(X, model):
    coefficients = sklearn.metrics.silhouette_samples(X, model.labels_)
    found = [silhouette_score(X, model, sample_size=200, random_state=seed) for seed in range(40)]
    error = coefficients.std() / np.sqrt(200)
    assert np.std(found) < 2 * error
    assert abs(np.mean(found) - coefficients.mean()) < error
    assert len(set(found)) == 40


def test_labels_and_model_see_the_same_sample_on_any_engine(X, model, tmp_path):
    pq.write_table(
        pa.table({"x0": X[:, 0], "x1": X[:, 1]}), tmp_path / "x.parquet", row_group_size=99
    )
    options = {"sample_size": 100, "random_state": 1}
    expected = silhouette_score(X, model.labels_, **options)
    for n_threads in (1, 2):
        with LocalEngine(n_threads):
            assert silhouette_score(tmp_path / "x.parquet", model, **options) == expected
            assert silhouette_score(tmp_path / "x.parquet", model.labels_, **options) == expected


def test_dropped_rows_are_not_drawn(X, model):
    holes = X.copy()
    holes[::7, 1] = np.nan
    kept = np.arange(len(X)) % 7 > 0
    found = silhouette_score(open_dataset(holes, missing="drop"), model.labels_)
    expected = sklearn.metrics.silhouette_score(X[kept], model.labels_[kept])
    assert found == pytest.approx(expected, rel=1e-12)


def test_cosine_models_are_scored_on_unit_rows(X):
    model = KMeans(3, metric="cosine", random_state=0).fit(X)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    expected = sklearn.metrics.silhouette_score(unit, model.labels_)
    assert silhouette_score(X, model) == pytest.approx(expected, rel=1e-12)


def test_text_labels(X, model):
    names = np.array(["a", "b", "c"])[model.labels_]
    assert silhouette_score(X, names) == silhouette_score(X, model.labels_)


def test_labels_of_other_rows(X):
    with pytest.raises(DataError, match=r"shape \(3,\), but there are 1200 rows"):
        silhouette_score(X, [0, 1, 1])


@pytest.mark.parametrize("size", [0, -1, 1.5, None])
def test_samples_without_rows(X, model, size):
    with pytest.raises(ParameterError, match=f"sample_size={size}"):
        silhouette_score(X, model, sample_size=size)


def test_models_without_centers(X):
    other = AgglomerativeClustering(3).fit(X)
    with pytest.raises(ParameterError, match=r"AgglomerativeClustering\(n_clusters=3\) has no"):
        silhouette_score(X, other)


def test_one_label(X):
    with pytest.raises(ValueError, match="Number of labels is 1"):
        silhouette_score(X, np.zeros(len(X)))


def test_before_fit(X):
    with pytest.raises(NotFittedError):
        silhouette_score(X, KMeans())
