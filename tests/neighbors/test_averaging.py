"""Regression by the neighbours' average, beside scikit-learn's."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.neighbors.rows import blobs, parquet
from tests.neighbors.test_voting import WEIGHTS, both

from shoal.neighbors import KNeighborsRegressor


@pytest.mark.filterwarnings("ignore:One or more samples have no neighbors")
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("shape", [(300,), (300, 1), (300, 3)])
@pytest.mark.parametrize("name", ["KNeighborsRegressor", "RadiusNeighborsRegressor"])
def test_averages_are_scikit_learns(name, shape, weights, own):
    if (name, weights) == ("RadiusNeighborsRegressor", "callable"):
        pytest.skip("scikit-learn hands an array of arrays over")
    X, y = blobs(), np.random.default_rng(0).normal(size=shape)
    queries = None if own else blobs(80, seed=1)
    found, reference = both(name, weights=WEIGHTS[weights])
    found.fit(X, y), reference.fit(X, y)
    expected = reference.predict(queries)
    assert found.predict(queries).shape == expected.shape
    np.testing.assert_allclose(found.predict(queries), expected, rtol=1e-9, atol=1e-12)


def test_predictions_in_a_file(tmp_path):
    X = blobs()
    path = parquet(X, tmp_path / "x.parquet", X[:, 0] ** 2)
    model = KNeighborsRegressor().fit(path, "y")
    written = model.predict(path, out=tmp_path / "p.parquet")
    assert pq.read_table(written)["prediction"].to_pylist() == model.predict(path).tolist()
