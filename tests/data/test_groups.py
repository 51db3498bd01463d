"""Groups of cells: the same rows on a coarser grid."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from tests.data.synthetic import SyntheticSource, synthetic_dataset

from shoal import open_dataset
from shoal.data.arrays import ArraySource
from shoal.data.groups import GroupedSource
from shoal.data.source import Cell
from shoal.exceptions import NonFiniteError
from shoal.testing import check_source


def test_passes_the_suite():
    check_source(GroupedSource(SyntheticSource(5700), 3))
    check_source(GroupedSource(ArraySource(sparse.random(150_000, 3, 0.1, "csr")), 2))


class Uneven(SyntheticSource):
    """Cells of the given lengths."""

    def __init__(self, lengths):
        super().__init__(sum(lengths))
        self.lengths = lengths

    def cells(self):
        first = [0, *np.cumsum(self.lengths).tolist()]
        return [
            Cell(index, first[index], n_rows, "made up", first[index])
            for index, n_rows in enumerate(self.lengths)
        ]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=40), st.integers(1, 12))
def test_groups_are_even_runs(lengths, n_groups):
    source = Uneven(lengths)
    cells = GroupedSource(source, n_groups).cells()
    assert 1 <= len(cells) <= min(n_groups, len(lengths))
    bounds = {cell.first_row for cell in source.cells()}
    assert all(cell.first_row in bounds for cell in cells)
    assert sum(cell.n_rows for cell in cells) == source.n_rows
    most = source.n_rows / n_groups + max(lengths)
    assert all(cell.n_rows <= most for cell in cells)


def test_rows_keep_their_numbers_and_cells_are_read_once():
    dataset = synthetic_dataset(5700).grouped(2)
    assert [cell.n_rows for cell in dataset.cells] == [3000, 2700]
    blocks = list(dataset.read(dataset.cells[1], 500))
    rows = np.concatenate([block.row_numbers for block in blocks])
    np.testing.assert_array_equal(rows, range(3000, 5700))
    np.testing.assert_array_equal(np.concatenate([block.X[:, 1] for block in blocks]), rows % 1001)
    assert dataset.source._origin.read_cells == [3, 4, 5]


def test_windows_go_across_the_cells_of_a_group():
    dataset = replace(synthetic_dataset(5700).grouped(2), window_rows=700)
    lengths = [block.n_rows for block in dataset.read(dataset.cells[0], 700)]
    assert lengths == [700, 700, 700, 700, 200]


def test_a_bad_value_is_placed_as_far_as_can_be(tmp_path):
    for name in "abc":
        rows = pa.table({"x": np.where(np.arange(50) == 20, np.inf if name == "b" else 0.0, 0.0)})
        pq.write_table(rows, tmp_path / f"{name}.parquet")
    dataset = open_dataset(tmp_path)

    def read(n_groups):
        grouped = dataset.grouped(n_groups)
        return [list(grouped.read(cell, 9)) for cell in grouped.cells]

    with pytest.raises(NonFiniteError, match=r"a\.parquet and on, column 'x', row 70"):
        read(1)
    with pytest.raises(NonFiniteError, match=r"b\.parquet, column 'x', row 20"):
        read(3)


def test_what_the_origin_says_goes_on():
    origin = ArraySource(sparse.csr_array(np.eye(4)))
    grouped = GroupedSource(origin, 2)
    for attribute in ("in_memory", "in_process", "is_sparse", "density", "columns"):
        assert getattr(grouped, attribute) == getattr(origin, attribute)
    assert grouped.reader_bytes([0]) == origin.reader_bytes([0])
    assert grouped.fingerprint() != origin.fingerprint()
    assert grouped.fingerprint() != GroupedSource(origin, 3).fingerprint()
