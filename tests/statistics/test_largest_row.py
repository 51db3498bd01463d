"""The longest row: dense and sparse, whatever the blocks."""

import numpy as np
from scipy import sparse

from shoal import LocalEngine, open_dataset
from shoal.statistics.largest_row import LargestRow
from shoal.testing.statistic import check_statistic

X = np.random.default_rng(0).normal(size=(5000, 7)) * (np.arange(5000)[:, None] % 13 > 5)


def test_is_the_largest_norm():
    expected = (X**2).sum(axis=1).max()
    for form in (X, np.asfortranarray(X), sparse.csr_array(X)):
        with LocalEngine(2) as engine:
            found = engine.fold(open_dataset(form), LargestRow())
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_passes_the_suite():
    check_statistic(LargestRow(), open_dataset(X))
