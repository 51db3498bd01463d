"""From what a source hands over to blocks: roles, types, dropped rows, checks."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from shoal import open_dataset
from shoal.data import rows as module
from shoal.data.arrays import ArraySource
from shoal.data.dataset import Dataset
from shoal.exceptions import DataError, NonFiniteError, SchemaError

rng = np.random.default_rng(0)
X = rng.normal(size=(50, 3))
FORMS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "CSR": sparse.csr_array,
    "columns": lambda X: pa.table({f"x{j}": X[:, j] for j in range(X.shape[1])}),
}


def blocks(dataset, max_rows=7):
    dataset = replace(dataset, window_rows=1)
    return [block for cell in dataset.cells for block in dataset.read(cell, max_rows)]


def dense(block):
    return block.X.toarray() if sparse.issparse(block.X) else block.X


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("max_rows", [1, 7, 50, 1000])
def test_blocks_are_the_rows_in_order(form, max_rows):
    target, weight = np.arange(50.0), rng.random(50)
    dataset = open_dataset(FORMS[form](X), target=target, sample_weight=weight)
    found = blocks(dataset, max_rows)
    assert max(block.n_rows for block in found) <= max_rows
    np.testing.assert_array_equal(np.vstack([dense(block) for block in found]), X)
    np.testing.assert_array_equal(np.concatenate([block.row_numbers for block in found]), range(50))
    np.testing.assert_array_equal(np.concatenate([block.target for block in found]), target)
    np.testing.assert_array_equal(np.concatenate([block.sample_weight for block in found]), weight)
    for block in found:
        np.testing.assert_array_equal(block.minimum, dense(block).min(axis=0))
        np.testing.assert_array_equal(block.maximum, dense(block).max(axis=0))


def test_decoded_blocks_fit_the_processors_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CACHED_BYTES", 6 * 24 + 23)
    table = pa.table({f"x{j}": X[:, j] for j in range(3)})
    pq.write_table(table, tmp_path / "x.parquet")
    found = blocks(open_dataset(tmp_path / "x.parquet"), 20)
    # Blocks are cut from pieces of 20 rows; what a piece leaves over waits for the next one.
    assert max(block.n_rows for block in found) == 6
    np.testing.assert_array_equal(np.vstack([block.X for block in found]), X)
    assert [block.n_rows for block in blocks(open_dataset(X), 20)] == [20, 20, 10]


@pytest.mark.parametrize("form", FORMS)
def test_roles_may_be_columns(form):
    positive = np.abs(X)
    found = blocks(open_dataset(FORMS[form](positive), target=0, sample_weight=2))
    for part, column in (("target", 0), ("sample_weight", 2)):
        values = np.concatenate([getattr(block, part) for block in found])
        np.testing.assert_array_equal(values, positive[:, column])
    np.testing.assert_array_equal(np.vstack([dense(block) for block in found]), positive[:, [1]])


@pytest.mark.parametrize("weight", [rng.random((50, 2))[:, 1], rng.random(100)[::2], range(50)])
def test_weights_in_any_strides_and_type_are_contiguous_floats(weight):
    for block in blocks(open_dataset(X, sample_weight=weight)):
        assert block.sample_weight.dtype == np.float64
        assert block.sample_weight.flags.c_contiguous
        np.testing.assert_array_equal(block.sample_weight, np.array(weight)[block.row_numbers])


def test_rows_that_need_no_conversion_are_views():
    for form in (X, np.asfortranarray(X), X[::2]):
        (block,) = blocks(open_dataset(form), 1000)
        assert np.shares_memory(block.X, form)


@given(st.lists(st.sampled_from(["", "X", "target", "weight"]), min_size=1, max_size=40), st.data())
def test_rows_with_a_missing_value_are_dropped(faults, data):
    n_rows = len(faults)
    parts = {"X": np.ones((n_rows, 2)), "target": np.ones(n_rows), "weight": np.ones(n_rows)}
    for row, fault in enumerate(faults):
        if fault:
            parts[fault][row] = np.nan
    form = FORMS[data.draw(st.sampled_from(sorted(FORMS)))](parts["X"])
    dataset = open_dataset(
        form, target=parts["target"], sample_weight=parts["weight"], missing="drop"
    )
    found = blocks(dataset, data.draw(st.integers(1, n_rows)))
    kept = [row for row, fault in enumerate(faults) if not fault]
    assert [row for block in found for row in block.row_numbers] == kept
    assert all(block.n_rows for block in found)
    assert all(block.rows is None or block.n_rows == len(block.rows) for block in found)


def test_infinity_is_not_missing():
    holes = X.copy()
    holes[3], holes[9, 1] = np.nan, np.inf
    with pytest.raises(NonFiniteError, match=r"infinity in array, column 'x1', row 9"):
        blocks(open_dataset(holes, missing="drop"))


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_measured_has_no_range(form):
    dataset = open_dataset(FORMS[form](np.where(X[33, 2] == X, np.nan, X)))
    found = blocks(replace(dataset, measured=False))
    assert np.isnan(np.vstack([dense(block) for block in found])).sum() == 1
    for block in found:
        np.testing.assert_array_equal([block.minimum, block.maximum], np.full((2, 3), np.nan))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("max_rows", [1, 7, 1000])
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_a_bad_value_is_placed(form, max_rows, value, word):
    bad = X.copy()
    bad[33, 2] = value
    with pytest.raises(NonFiniteError, match=rf"{word}.*column 'x2', row 33"):
        blocks(open_dataset(FORMS[form](bad)), max_rows)


def test_a_bad_value_is_placed_in_its_file(tmp_path):
    for name, rows in (("a", X), ("b", np.where(np.isin(X, X[20, 1]), np.nan, X))):
        table = pa.table({f"x{j}": rows[:, j] for j in range(3)})
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=9)
    with pytest.raises(NonFiniteError, match=r"b\.parquet, column 'x1', row 20 \(counted from 0\)"):
        blocks(open_dataset(tmp_path))


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (np.where(np.arange(50) == 13, -0.5, 1), DataError, r"-0\.5 in array.*sample_weight.*13"),
        (np.where(np.arange(50) == 13, np.inf, 1), NonFiniteError, "inf in array.* row 13"),
        (np.where(np.arange(50) == 13, np.nan, 1), NonFiniteError, "nan in array.* row 13"),
    ],
)
def test_bad_weights_are_placed(weight, error, message):
    with pytest.raises(error, match=message):
        blocks(open_dataset(X, sample_weight=weight))


def test_weights_in_a_column_of_text_are_refused():
    table = pa.table({"a": [1.0, 2.0], "w": ["1", "2"]})
    with pytest.raises(SchemaError, match=r"sample_weight must be numbers.*'w'"):
        blocks(open_dataset(table, sample_weight="w"))


@pytest.mark.parametrize("form", FORMS)
def test_the_range_of_a_block_counts_values_that_are_not_stored(form):
    """Scales are made for this range: what lies outside of it could overflow a sum."""
    rows = np.array([[5.0, -5.0, 5.0, 0.0], [0.0, 0.0, 7.0, 0.0]])
    (block,) = blocks(open_dataset(FORMS[form](rows)))
    assert block.minimum.tolist() == [0, -5, 5, 0]
    assert block.maximum.tolist() == [5, 0, 7, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unit_rows_have_the_same_bits_in_every_layout(dtype):
    rows = (X * rng.lognormal(0, 9, (50, 1))).astype(dtype)
    expected = None
    for form in FORMS.values():
        dataset = open_dataset(form(rows)).with_unit_rows()
        found = np.vstack([dense(block) for block in blocks(dataset)])
        assert found.dtype == dtype
        expected = found if expected is None else expected
        np.testing.assert_array_equal(found, expected)
        for block in blocks(dataset):
            np.testing.assert_array_equal(block.minimum, dense(block).min(axis=0))
            np.testing.assert_array_equal(block.maximum, dense(block).max(axis=0))
    np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(
        expected, rows / np.linalg.norm(rows.astype(float), axis=1)[:, None], rtol=1e-6
    )


def test_other_types_are_converted():
    whole = rng.integers(-100, 100, (50, 3))
    for dtype in (np.int8, np.int64, np.float16, np.bool_):
        source = ArraySource(whole.astype(dtype))
        found = blocks(Dataset(source, (0, 2), dtype=np.dtype(np.float32)), 1000)[0]
        assert found.X.dtype == np.float32
        np.testing.assert_array_equal(found.X, whole.astype(dtype)[:, [0, 2]].astype(np.float32))
