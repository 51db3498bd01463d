"""The graph of the nearest rows, as features."""

import numpy as np
import pytest
from sklearn import neighbors as reference
from sklearn.manifold import Isomap
from sklearn.pipeline import make_pipeline
from tests.neighbors.rows import blobs

from shoal import load_model, save_model
from shoal.exceptions import ParameterError
from shoal.neighbors import KNeighborsClassifier, KNeighborsTransformer


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_graphs_are_scikit_learns(mode):
    X, queries = blobs(), blobs(30, seed=1)
    found, expected = (
        kind(mode=mode, n_neighbors=4, metric="manhattan")
        for kind in (KNeighborsTransformer, reference.KNeighborsTransformer)
    )
    for graph, other in (
        (found.fit_transform(X), expected.fit_transform(X)),
        (found.transform(queries), expected.transform(queries)),
    ):
        assert graph.shape == other.shape
        np.testing.assert_array_equal(graph.indices, other.indices)
        np.testing.assert_array_equal(graph.indptr, other.indptr)
        np.testing.assert_allclose(graph.data, other.data)
    assert list(found.get_feature_names_out()) == list(expected.get_feature_names_out())


def test_estimators_take_the_graph_for_rows():
    X, y, queries = blobs(), np.arange(300) % 3, blobs(30, seed=1)
    on_graph = KNeighborsClassifier(4, metric="precomputed", weights="distance")
    found = make_pipeline(KNeighborsTransformer(n_neighbors=6), on_graph).fit(X, y)
    expected = KNeighborsClassifier(4, weights="distance").fit(X, y)
    np.testing.assert_array_equal(found.predict_proba(queries), expected.predict_proba(queries))
    np.testing.assert_array_equal(on_graph.predict(None), expected.predict(None))
    one = make_pipeline(
        KNeighborsTransformer(n_neighbors=40), Isomap(n_neighbors=40, metric="precomputed")
    )
    placed = Isomap(n_neighbors=40).fit_transform(X)
    np.testing.assert_allclose(np.abs(one.fit_transform(X)), np.abs(placed), rtol=1e-6, atol=1e-8)


def test_rows_come_and_go_and_a_model_file(tmp_path):
    X = blobs()
    model = KNeighborsTransformer().fit(X[:200]).partial_fit(X[200:]).forget([0, 250])
    expected = KNeighborsTransformer().fit(np.delete(X, [0, 250], axis=0)).transform(X)
    assert abs(model.transform(X) - expected).nnz == 0
    save_model(model, tmp_path / "model.shoal")
    assert abs(load_model(tmp_path / "model.shoal").transform(X) - expected).nnz == 0


def test_bad_parameters():
    with pytest.raises(ParameterError, match="Unsupported mode"):
        KNeighborsTransformer(mode="weights").fit(blobs())
    with pytest.raises(ParameterError, match="n_neighbors = 6, n_samples_fit = 5"):
        KNeighborsTransformer().fit_transform(blobs(5))
