"""Some of the rows of a source, of every kind."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from shoal import open_dataset
from shoal.data.arrays import CELL_ROWS
from shoal.data.open import source_of
from shoal.data.selected_rows import SelectedRows
from shoal.exceptions import NonFiniteError
from shoal.testing import check_source

generator = np.random.default_rng(0)
X = generator.normal(size=(500, 3))
WORDS = np.array(["a", "b", None], dtype=object)[generator.integers(3, size=500)]
#: Nothing of the second row group, and all of the third.
SELECTED = (generator.random(500) < 0.3) & (np.arange(500) // 100 != 1)
SELECTED |= np.arange(500) // 100 == 2


@pytest.fixture
def path(tmp_path):
    columns = {f"x{j}": X[:, j] for j in range(3)} | {"word": pa.array(WORDS)}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet", row_group_size=100)
    return tmp_path / "rows.parquet"


def test_conformance_of_files(path):
    source = SelectedRows(source_of(path), SELECTED)
    check_source(source)
    assert len(source.cells()) == 4


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, pd.DataFrame])
def test_conformance_of_data_in_memory(kind):
    check_source(SelectedRows(source_of(kind(X)), SELECTED))


def test_several_cells_of_an_array():
    tall = np.arange(2.0 * CELL_ROWS + 10)[:, None]
    selected = tall[:, 0] % 7 == 3
    source = SelectedRows(source_of(tall), selected)
    check_source(source)
    found = [rows[:, 0] for cell in source.cells() for rows in source.read(cell, [0], 10_000)]
    np.testing.assert_array_equal(np.concatenate(found), tall[selected, 0])


def test_datasets(path):
    weight = np.arange(500.0)
    dataset = open_dataset(path, features=["x2", "x0"], sample_weight=weight)
    for part in (dataset.selected(SELECTED), dataset.with_target(weight).selected(SELECTED)):
        assert part.n_rows == SELECTED.sum()
        blocks = [block for cell in part.cells for block in part.read(cell, 64)]
        np.testing.assert_array_equal(np.concatenate([b.X for b in blocks]), X[SELECTED][:, [2, 0]])
        found = np.concatenate([block.sample_weight for block in blocks])
        np.testing.assert_array_equal(found, weight[SELECTED])
    np.testing.assert_array_equal(part.target, weight[SELECTED])


def test_fingerprints_know_the_selection():
    one, other = SELECTED.copy(), SELECTED.copy()
    other[499] = not other[499]
    source = source_of(X)
    assert SelectedRows(source, one).fingerprint() == SelectedRows(source, SELECTED).fingerprint()
    assert SelectedRows(source, one).fingerprint() != SelectedRows(source, other).fingerprint()


def test_faults_say_that_they_are_in_selected_rows():
    holes = X.copy()
    holes[np.flatnonzero(SELECTED)[4], 1] = np.nan
    part = open_dataset(holes).selected(SELECTED)
    with pytest.raises(NonFiniteError, match="the selected rows of array, column 'x1', row 4"):
        list(part.read(part.cells[0], 1000))
