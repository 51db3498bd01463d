"""What all sources over other sources have in common."""

import numpy as np
import pytest
from scipy import sparse

from shoal.data.arrays import CELL_ROWS, ArraySource
from shoal.data.derived_source import DerivedSource
from shoal.data.groups import GroupedSource
from shoal.data.selected_rows import SelectedRows

N_ROWS = 5 * CELL_ROWS
X = np.arange(2.0 * N_ROWS).reshape(-1, 2)
EVEN = np.arange(N_ROWS) % 2 == 0


def rows(source):
    columns = range(len(source.columns))
    return np.vstack([r for cell in source.cells() for r in source.read(cell, columns, 10**6)])


def derived(root):
    """Groups of some of the rows: one source over another over the root."""
    return GroupedSource(SelectedRows(root, EVEN), 2)


def test_what_it_takes_over():
    root = ArraySource(sparse.csr_array(X))
    source = derived(root)
    assert isinstance(source, DerivedSource)
    assert source.columns == root.columns
    assert source.in_process
    assert source.is_sparse
    assert source.density == root.density


def test_the_root_is_the_source_that_reads():
    root = ArraySource(X)
    assert derived(root).root is root
    assert root.root is root


def test_cells_of_the_root():
    root = ArraySource(X)
    source = derived(root)
    found = [source.root_cells(cell) for cell in source.cells()]
    assert len(found) == 2
    assert [*found[0], *found[1]] == list(root.cells())


@pytest.mark.parametrize("make", [derived, lambda root: GroupedSource(root, 2), lambda root: root])
def test_over_another_root(make):
    source = make(ArraySource(X))
    before = rows(source)
    moved = source.over(ArraySource(-X))
    np.testing.assert_array_equal(rows(moved), -before)
    np.testing.assert_array_equal(rows(source), before)
