"""What groups would spare, tried on a sample of the rows."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from shoal import LocalEngine
from shoal.neighbors.group_trial import share_within_reach


def within_reach(sample, centers):
    """The same by all distances."""
    to_centers = cdist(sample, centers)
    groups = to_centers.argmin(axis=1)
    radii = [to_centers[groups == g, g].max(initial=-np.inf) for g in range(len(centers))]
    queries = slice(None, None, -(-len(sample) // 128))
    reach = np.sort(cdist(sample[queries], sample), axis=1)[:, 4]
    near = to_centers[queries] - reach[:, None] <= radii
    return (near @ np.bincount(groups, minlength=len(centers))).mean() / len(sample)


@pytest.mark.parametrize("spread", [0.0, 1.0, 20.0])
def test_is_the_share_of_groups_that_bounds_do_not_rule_out(spread):
    generator = np.random.default_rng(0)
    middles = spread * generator.normal(size=(30, 6))
    sample = generator.normal(size=(1000, 6)) + middles[generator.integers(30, size=1000)]
    # The last has no rows.
    centers = np.vstack([middles + generator.normal(size=(30, 6)), np.full(6, 1e6)])
    with LocalEngine(n_threads=2):
        found = share_within_reach(sample, centers)
    assert found == pytest.approx(within_reach(sample, centers))
    assert found < 0.1 if spread == 20 else found > 0.3


def test_far_fewer_rows_than_queries():
    sample = np.array([[0.0], [1.0], [9.0]])
    assert share_within_reach(sample, sample[:1]) == 1
