"""The rows that neighbours are looked for among."""

import numpy as np
import pytest
from tests.neighbors.rows import blobs, nearest, parquet

from shoal import LocalEngine, open_dataset
from shoal.exceptions import MemoryBudgetError, ParameterError
from shoal.neighbors import database as module
from shoal.neighbors.database import Database, checked_rows, query_batches
from shoal.statistics.metric import Metric

EUCLIDEAN = Metric("euclidean")


def test_rows_removed_and_added_close_up():
    X, more = blobs(50), blobs(30, seed=1)
    database = Database.of(open_dataset(X)).without_rows(np.array([0, 3, 49]))
    database = database.with_rows(open_dataset(more)).without_rows(np.array([1, 46, 47, 76]))
    left = np.delete(np.vstack([np.delete(X, [0, 3, 49], 0), more]), [1, 46, 47, 76], 0)
    assert database.n_rows == len(left)
    rows, numbers = database.dense(EUCLIDEAN)
    np.testing.assert_array_equal(rows, left)
    np.testing.assert_array_equal(numbers, np.arange(len(left)))
    found = database.nearest(left, 3, EUCLIDEAN)
    np.testing.assert_array_equal(found.rows, nearest(left, left, 3)[1])
    within = database.within(left, 0.0, EUCLIDEAN)
    np.testing.assert_array_equal(within.rows, np.arange(len(left)))


def test_parts_without_a_row_left_are_let_go_of():
    parts = [open_dataset(blobs(4, seed=seed).astype(f"f{4 * seed}")) for seed in (2, 1, 2)]
    database = Database.of(*parts)
    assert database.dtype == np.float64
    left = database.without_rows(np.array([0, 1, 2, 3, 5, 8, 9, 10, 11]))
    assert [part.dtype for part in left.parts] == [np.float32]
    assert left.dtype == np.float32
    np.testing.assert_array_equal(
        left.dense(EUCLIDEAN)[0], blobs(4, seed=1)[[0, 2, 3]].astype("f4")
    )


def test_datasets_of_another_type_are_made_once():
    database = Database.of(open_dataset(blobs(dtype=np.float32)))
    one, other = (database.typed(np.dtype(np.float64), EUCLIDEAN) for _ in range(2))
    assert one[0] is other[0]
    assert one[0].dtype == np.float64


def test_batches_hold_all_rows_in_order(monkeypatch):
    monkeypatch.setattr(module, "_BATCH_BYTES", 8000)
    X = blobs(700)
    blocks = list(query_batches(open_dataset(np.asfortranarray(X)), 16))
    assert len(blocks) > 5
    assert all(block.X.flags.c_contiguous for block in blocks)
    np.testing.assert_array_equal(np.vstack([block.X for block in blocks]), X)
    np.testing.assert_array_equal(np.concatenate([b.row_numbers for b in blocks]), np.arange(700))


def test_rows_to_forget_are_checked():
    assert checked_rows([3, 1], 5).tolist() == [1, 3]
    assert checked_rows([], 5).tolist() == []
    for rows, message in [
        ([5], "no row 5 to forget: the model has rows 0 to 4"),
        ([-1], "no row -1"),
        ([1, 1], "none of them twice"),
        ([0.5], "whole numbers"),
        (range(5), "All 5 rows"),
    ]:
        with pytest.raises(ParameterError, match=message):
            checked_rows(list(rows), 5)


def test_batches_are_a_share_of_the_engines_memory():
    dataset = open_dataset(blobs(50_000))
    longest = []
    for n_threads, memory in ((1, "20MB"), (4, "20MB"), (1, "100GB")):
        with LocalEngine(n_threads, memory):
            longest.append(max(block.n_rows for block in query_batches(dataset, 64)))
    assert longest[:2] == [20_000_000 // 16 // 128 // 64 * 64, 20_000_000 // 64 // 128 // 64 * 64]
    assert longest[2] == 50_000


def test_copies_that_do_not_fit_are_refused(tmp_path):
    X = blobs(5000)
    in_files = Database.of(open_dataset(parquet(X, tmp_path / "x.parquet")))
    with LocalEngine(memory="319kB"):
        with pytest.raises(MemoryBudgetError, match="in memory, 160 kB: more than half of"):
            in_files.dense(EUCLIDEAN)
        np.testing.assert_array_equal(Database.of(open_dataset(X)).dense(EUCLIDEAN)[0], X)
    with LocalEngine(memory="321kB"):
        np.testing.assert_array_equal(in_files.dense(EUCLIDEAN)[0], X)
