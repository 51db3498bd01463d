"""Ranges of targets."""

import numpy as np
import pytest
from tests.statistics.rows import blobs, fold

from shoal import open_dataset
from shoal.statistics.target_range import TargetRange
from shoal.testing import check_statistic


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("dtype", [np.int64, np.float32, bool])
def test_is_the_range_in_any_blocks(n_outputs, dtype):
    Y = np.random.default_rng(0).normal(0, 5, (150, n_outputs)).astype(dtype)
    dataset = open_dataset(blobs(), target=Y[:, 0] if n_outputs == 1 else Y)
    statistic = TargetRange(n_outputs)
    check_statistic(statistic, dataset)
    found = fold(statistic, dataset)
    np.testing.assert_array_equal(found.minimum, Y.min(axis=0))
    np.testing.assert_array_equal(found.maximum, Y.max(axis=0))


def test_the_middle_of_huge_targets_is_finite():
    Y = np.array([1.5e308, 1e308])
    found = fold(TargetRange(1), open_dataset(blobs(2), target=Y))
    assert found.middle[0] == 1.25e308
