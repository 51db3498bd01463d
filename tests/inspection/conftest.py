"""Rows in three groups, and figures that are closed."""

import matplotlib as mpl
import numpy as np
import pytest

from shoal.cluster import KMeans


@pytest.fixture(autouse=True)
def figures():
    """No window opens, and no figure outlives its test."""
    from matplotlib import pyplot as plt

    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


@pytest.fixture(name="X")
def rows():
    """900 rows: groups differ in the first and third column, and not in the second."""
    rng = np.random.default_rng(0)
    middles = np.array([[0, 5, 0, 1], [10, 5, 0, 1], [0, 5, 30, 1]])
    return rng.normal(middles.repeat([300, 500, 100], axis=0), [1, 5, 1, 0])


@pytest.fixture
def model(X):
    return KMeans(3, init=X[[0, 300, 800]]).fit(X)
