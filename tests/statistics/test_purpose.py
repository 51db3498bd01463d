"""Draws that are made again and again must not reach the keys of others."""

from itertools import pairwise

from shoal.cluster.initial_centers import N_ROUNDS
from shoal.statistics.purpose import Purpose

#: The most draws of those that are repeated: rounds, clusters, passes.
MOST_DRAWS = {
    Purpose.PARALLEL_ROUND: N_ROUNDS,
    Purpose.NEXT_CENTER: 10_000_000,
    Purpose.MINI_BATCHES: 1_000_000_000,
}


def test_runs_of_keys_end_before_the_next_begins():
    for purpose, following in pairwise(sorted(Purpose)):
        assert purpose + MOST_DRAWS.get(purpose, 1) <= following
