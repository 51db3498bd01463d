"""Targets go where their rows go."""

import numpy as np
import pytest
from tests.neighbors.rows import blobs

from shoal.exceptions import ParameterError
from shoal.neighbors import KNeighborsClassifier, RadiusNeighborsRegressor

MODELS = {
    "classes": KNeighborsClassifier(n_neighbors=1),
    "numbers": RadiusNeighborsRegressor(radius=0.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_each_row_keeps_its_own_target(name):
    X, y = blobs(30), np.arange(30) % 9
    model = MODELS[name].fit(X[:20], y[:20]).partial_fit(X[20:], y[20:])
    np.testing.assert_array_equal(model.predict(X), y)
    gone = [0, 7, 25]
    model.forget(gone)
    kept = np.delete(np.arange(30), gone)
    np.testing.assert_array_equal(model.predict(X[kept]), y[kept])


@pytest.mark.parametrize("name", MODELS)
def test_weights_without_sense(name):
    X = blobs(9)
    model = type(MODELS[name])(weights="heavy")
    with pytest.raises(ParameterError, match="weights='heavy'"):
        model.fit(X, np.arange(9))


@pytest.mark.parametrize("name", MODELS)
def test_a_target_is_needed(name):
    assert MODELS[name].__sklearn_tags__().target_tags.required
    with pytest.raises(ValueError, match="requires y to be passed"):
        type(MODELS[name])().fit(blobs(9))
