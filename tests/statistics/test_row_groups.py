"""Rows in the groups of their nearest centres."""

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist

from shoal import LocalEngine, open_dataset
from shoal.data.block import Block
from shoal.statistics.row_groups import RowGroups
from shoal.testing.statistic import check_statistic

generator = np.random.default_rng(0)
X = generator.normal(size=(700, 3))
CENTERS = np.vstack([generator.normal(size=(5, 3)), [[1e3, 0, 0]]])


def test_is_a_statistic():
    check_statistic(RowGroups(CENTERS), open_dataset(X))


@pytest.mark.parametrize("made", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_counts_and_radii_are_those_of_the_definition(made):
    truth = cdist(X, CENTERS)
    with LocalEngine(n_threads=2) as engine:
        dataset, groups = open_dataset(made(X)), RowGroups(CENTERS)
        found = engine.fold(dataset, groups)
        labels = np.concatenate([some for _, some in engine.map_blocks(dataset, groups.groups_of)])
    np.testing.assert_array_equal(labels, truth.argmin(axis=1))
    np.testing.assert_array_equal(found.counts, np.bincount(labels, minlength=6))
    radii = [truth[labels == group, group].max() for group in range(5)]
    np.testing.assert_allclose(found.radii, [*radii, -np.inf], rtol=1e-14)


def test_groups_beside_a_block_are_only_taken_for_ones_own():
    block = Block(X, 0, X.min(0), X.max(0))
    one, other = RowGroups(CENTERS), RowGroups(CENTERS[::-1].copy())
    one.update(one.zero(), block)
    assert block.beside
    np.testing.assert_array_equal(other.groups_of(block), 5 - one.groups_of(block))
