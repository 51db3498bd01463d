"""Inertia by number of clusters."""

import numpy as np

from shoal import LocalEngine
from shoal.cluster import KMeans
from shoal.engines.engine import entered
from shoal.inspection import elbow


def test_each_inertia_is_a_fits(X):
    found = elbow(X, (2, 5), random_state=0, init="random", n_init=2)
    expected = [KMeans(k, random_state=0, init="random", n_init=2).fit(X).inertia_ for k in (2, 5)]
    assert found.n_clusters.tolist() == [2, 5]
    assert found.inertia.tolist() == expected


def test_one_cluster_has_the_variance(X):
    weight = np.random.default_rng(0).random(len(X))
    found = elbow(X, [1], sample_weight=weight)
    mean = np.average(X, axis=0, weights=weight)
    np.testing.assert_allclose(found.inertia, [weight @ ((X - mean) ** 2).sum(axis=1)], rtol=1e-12)


class _Counting(LocalEngine):
    n_passes = 0

    def fold(self, dataset, statistic):
        self.n_passes += 1
        return super().fold(dataset, statistic)


def test_the_engine_that_is_current_is_used_and_left_open(X):
    with _Counting(1) as engine:
        elbow(X, [1, 2], random_state=0)
        assert engine.n_passes > 4
        assert entered.get() == (engine,)
    assert entered.get() == ()


def test_plot(X):
    found = elbow(X, [1, 3], random_state=0)
    ax = found.plot()
    assert ax.lines[0].get_xydata().tolist() == [
        *map(list, zip([1, 3], found.inertia, strict=True))
    ]
    assert ax.get_ylim()[0] == 0
