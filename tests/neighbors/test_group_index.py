"""Indexes of grouped rows are built around centres found from a sample, for euclidean metrics."""

import numpy as np
import pytest
from tests.neighbors.rows import blobs

from shoal.exceptions import ParameterError
from shoal.neighbors.database import Database
from shoal.neighbors.group_centers import group_centers
from shoal.neighbors.grouped_blocks import GroupedBlocks
from shoal.neighbors.grouped_rows import GroupedRows
from shoal.statistics.metric import Metric
from shoal.testing.bits import bits


@pytest.mark.parametrize("kind", [GroupedRows, GroupedBlocks])
def test_building_is_grouping_around_the_centres_of_a_sample(kind):
    rows, metric, queries = Database.of_array(blobs()), Metric("euclidean"), blobs(30, seed=1)
    around = kind.around(rows, metric, group_centers(rows, metric), 2)
    built = kind.build(rows, metric, n_probe=2)
    np.testing.assert_array_equal(built.radii, around.radii)
    assert bits(built.query(queries, 5)) == bits(around.query(queries, 5))


@pytest.mark.parametrize("kind", [GroupedRows, GroupedBlocks])
def test_other_metrics_are_refused(kind):
    with pytest.raises(ParameterError, match="algorithm='partition' answers by 'euclid"):
        kind.build(Database.of_array(blobs()), Metric("manhattan"))
