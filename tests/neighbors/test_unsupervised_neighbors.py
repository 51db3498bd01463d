"""Neighbours whose rows have no targets."""

import numpy as np
import pytest
from tests.neighbors.rows import blobs

from shoal.neighbors import KNeighborsTransformer, NearestNeighbors, RadiusNeighborsTransformer
from shoal.testing.bits import bits

MODELS = (NearestNeighbors, KNeighborsTransformer, RadiusNeighborsTransformer)


@pytest.mark.parametrize("kind", MODELS)
def test_rows_are_added_and_forgotten_whatever_y_is(kind):
    X, queries = blobs(60), blobs(20, seed=1)
    model = kind().fit(X[:30], "no such column").partial_fit(X[30:], np.ones(2)).forget([3, 40])
    expected = kind().fit(np.delete(X, [3, 40], axis=0))
    ask = "kneighbors" if hasattr(model, "kneighbors") else "radius_neighbors"
    assert bits(getattr(model, ask)(queries)) == bits(getattr(expected, ask)(queries))
    assert model.n_samples_fit_ == 58
