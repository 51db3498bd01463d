"""The graph of all rows within a radius, as features."""

import numpy as np
import pytest
from sklearn import neighbors as reference
from sklearn.pipeline import make_pipeline
from tests.neighbors.rows import blobs

from shoal.exceptions import ParameterError
from shoal.neighbors import RadiusNeighborsRegressor, RadiusNeighborsTransformer


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_graphs_are_scikit_learns(mode):
    X, queries = blobs(), blobs(30, seed=1)
    found = RadiusNeighborsTransformer(mode=mode, radius=1.2)
    expected = reference.RadiusNeighborsTransformer(mode=mode, radius=1.2)
    for graph, other in (
        (found.fit_transform(X), expected.fit_transform(X)),
        (found.transform(queries), expected.transform(queries)),
    ):
        np.testing.assert_array_equal(graph.indptr, other.indptr)
        np.testing.assert_allclose(graph.toarray(), other.toarray(), atol=1e-12)
        if mode == "distance":
            np.testing.assert_array_equal(graph.indices, other.indices)
    assert list(found.get_feature_names_out()) == list(expected.get_feature_names_out())


def test_estimators_take_the_graph_for_rows():
    X, queries = blobs(), blobs(30, seed=1, offset=0.1)
    on_graph = RadiusNeighborsRegressor(1.5, metric="precomputed", weights="distance")
    found = make_pipeline(RadiusNeighborsTransformer(radius=2.0), on_graph).fit(X, X[:, 0])
    expected = RadiusNeighborsRegressor(1.5, weights="distance").fit(X, X[:, 0])
    near = [len(rows) > 0 for rows in expected.radius_neighbors(queries)[1]]
    np.testing.assert_array_equal(found.predict(queries[near]), expected.predict(queries[near]))


def test_bad_parameters():
    with pytest.raises(ParameterError, match="Unsupported mode"):
        RadiusNeighborsTransformer(mode="weights").fit(blobs())
