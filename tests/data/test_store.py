"""The block store: each row once a scan, wherever its block is; within its bounds."""

import gc
import mmap
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
from tests.data.stores import check_rows, store_of, taken
from tests.data.synthetic import SyntheticSource, synthetic_dataset

from shoal.data.arrays import ArraySource
from shoal.data.cache import BlockCache
from shoal.data.dataset import Dataset
from shoal.data.plan import plan
from shoal.data.store import BlockStore
from shoal.exceptions import CorruptFileError, DiskFullError, NonFiniteError

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("kept_rows", [0, 1700, 10**6], ids=["cached", "mixed", "kept"])
@pytest.mark.parametrize("in_memory", [False, True], ids=["file", "memory"])
def test_each_row_once_a_scan(kept_rows, n_threads, in_memory):
    dataset = synthetic_dataset(5700, in_memory=in_memory, dtype=np.float64)
    store = store_of(dataset, kept_rows, n_threads=n_threads)
    for ordered in (False, False, True, False, True):
        check_rows(taken(store, n_threads, ordered=ordered), 5700)
    store.close()


@pytest.mark.parametrize("kept_rows", [0, 1700, 10**6])
def test_a_file_is_read_once(kept_rows):
    dataset = synthetic_dataset(5700)
    store = store_of(dataset, kept_rows)
    for _ in range(3):
        taken(store, 2)
        taken(store, 2, ordered=True)
    assert sorted(dataset.source.read_cells) == [*range(6)]
    store.close()


def test_an_ordered_scan_keeps_nothing_new(no_leaks):
    dataset = synthetic_dataset(5700)
    store = store_of(dataset, 0)
    for _ in range(2):
        check_rows(taken(store, ordered=True), 5700)
    assert dataset.source.read_cells == [*range(6)] * 2
    assert not list(no_leaks.rglob("blocks"))
    store.close()


def test_memory_keeps_what_the_plan_says(no_leaks):
    store = store_of(synthetic_dataset(5700), 1700)
    taken(store)
    kept = [place for place in store.find(store._dataset.cells) if hasattr(place, "X")]
    assert 1700 - 320 < sum(block.n_rows for block in kept) <= 1700
    assert [block.first_row for block in kept] == [0, 320, 640, 960, 1000, 1320, 1960]
    assert len(list(no_leaks.rglob("blocks"))) == 1
    store.close()
    assert not list(no_leaks.rglob("blocks"))


def test_all_that_fits_needs_no_file(no_leaks):
    store = store_of(synthetic_dataset(5700), 5700)
    taken(store)
    taken(store)
    assert not list(no_leaks.rglob("blocks"))
    store.close()


@pytest.mark.parametrize("in_memory", [False, True], ids=["file", "memory"])
@pytest.mark.parametrize("kept_rows", [0, 1700, 10**6])
def test_what_stands_beside_a_block_survives(kept_rows, in_memory):
    store = store_of(synthetic_dataset(5700, in_memory=in_memory, dtype=np.float64), kept_rows)
    for block in taken(store):
        block.beside["met"] = block.first_row
    for ordered in (True, False, True):
        for block in taken(store, ordered=ordered):
            assert block.beside == {"met": block.first_row}
    store.close()


@pytest.mark.parametrize("kept_rows", [0, 10**6])
def test_nothing_stands_beside_blocks_where_there_is_no_room(kept_rows):
    store = store_of(synthetic_dataset(5700), kept_rows, beside_bytes=0)
    for _ in range(3):
        for block in taken(store):
            assert not block.beside
            block.beside["met"] = True
    store.close()


def test_cells_come_and_go():
    dataset = synthetic_dataset(5700)
    store = store_of(dataset, 700)
    taken(store, cells=dataset.cells[:4])
    taken(store, cells=dataset.cells[2:])
    assert sorted(dataset.source.read_cells) == [*range(6)]
    found = taken(store, cells=dataset.cells[1:3])
    assert {block.first_row // 1000 for block in found} == {1, 2}
    assert dataset.source.read_cells.count(1) == 2
    assert dataset.source.read_cells.count(2) == 1
    check_rows(taken(store), 5700)
    store.close()


def test_coming_and_going_does_not_grow_the_file(no_leaks):
    dataset = synthetic_dataset(20_000, cell_rows=1000)
    store = store_of(dataset, 0)
    for _ in range(10):
        taken(store, cells=dataset.cells[::2])
        taken(store, cells=dataset.cells[1::2])
    assert store._cache._end <= 2 * 10 * 4 * 4096 * 2
    check_rows(taken(store), 20_000)
    store.close()


def test_another_plan_moves_blocks_to_the_file():
    dataset = synthetic_dataset(5700)
    store = store_of(dataset, 10**6)
    for block in taken(store):
        block.beside["met"] = block.first_row
    store.adopt(replace(store.plan, kept_bytes=1000 * store.plan.row_bytes))
    kept = [place for place in store.find(dataset.cells) if hasattr(place, "X")]
    assert sum(block.n_rows for block in kept) == 1000
    found = taken(store)
    check_rows(found, 5700)
    assert all(block.beside == {"met": block.first_row} for block in found)
    assert sorted(dataset.source.read_cells) == [*range(6)]
    store.close()


def test_blocks_of_files_hold_no_more_than_their_own_values():
    class Wide(SyntheticSource):
        def read(self, cell, columns, max_rows):
            for columns in super().read(cell, range(self.n_columns), max_rows):
                yield np.stack(columns, axis=1)[:, : len(columns) - 1]

    dataset = Dataset(Wide(3000), (0, 1), dtype=np.dtype(np.float32))
    store = store_of(dataset, 10**6)
    check_rows(taken(store), 3000, 2)
    with store.scan() as scan:
        assert all(block.X.base is None for block in iter(scan.take, None))
    store.close()


def test_views_stay_views():
    X = np.random.default_rng(0).random((10_000, 4))
    store = BlockStore(dataset := Dataset(ArraySource(X), (0, 1, 2, 3)), plan(dataset, 1, 2))
    for _ in range(2):
        with store.scan() as scan:
            while (block := scan.take()) is not None:
                assert np.shares_memory(block.X, X)
    assert store._kept_bytes == 0
    store.close()


def test_half_read_cells_do_not_count():
    store = store_of(synthetic_dataset(5700), 10**6)
    for _ in range(50):
        with store.scan() as scan:
            scan.take()
    assert store._kept_bytes == 0
    store.close()


def test_buffers_are_not_used_again_while_somebody_looks():
    store = store_of(synthetic_dataset(5700), 0)
    taken(store)
    with store.scan() as scan:
        check_rows(list(iter(scan.take, None)), 5700)
    store.close()


def test_blocks_of_the_file_are_read_by_the_threads_that_take_them(monkeypatch):
    store = store_of(synthetic_dataset(5700), 0)
    taken(store)
    cache_read, meeting = BlockCache.read, threading.Barrier(2, timeout=20)

    def read_together(cache, stored, buffer):
        meeting.wait()
        return cache_read(cache, stored, buffer)

    monkeypatch.setattr(BlockCache, "read", read_together)
    n_threads = threading.active_count()
    with store.scan() as scan:
        assert threading.active_count() == n_threads
        takers = [threading.Thread(target=scan.take) for _ in range(2)]
        for taker in takers:
            taker.start()
        for taker in takers:
            taker.join()
    assert not meeting.broken
    store.close()


def test_later_passes_use_as_many_buffers_as_there_are_threads(monkeypatch):
    made = []
    memory = mmap.mmap
    monkeypatch.setattr(mmap, "mmap", lambda *size: made.append(size) or memory(*size))
    store = store_of(synthetic_dataset(5700), 0)
    for _ in range(4):
        with store.scan() as scan:
            while scan.take() is not None:
                pass
    assert len(made) == 1
    store.close()


@pytest.mark.parametrize("kept_rows", [0, 1700, 5700])
def test_blocks_of_files_are_kept_row_by_row(kept_rows):
    store = store_of(synthetic_dataset(5700), kept_rows)
    for _ in range(2):
        with store.scan() as scan:
            assert all(block.X.flags.c_contiguous for block in iter(scan.take, None))
    store.close()


def test_an_error_of_the_source_comes_through_and_the_rest_can_be_read():
    X = np.zeros((5000, 2), dtype=np.float32)
    X[4321, 1] = np.nan
    dataset = Dataset(ArraySource(X), (0, 1))
    store = store_of(dataset, 10**6)
    for _ in range(2):
        with store.scan() as scan, pytest.raises(NonFiniteError, match="row 4321"):
            list(iter(scan.take, None))
    store.close()


def test_a_damaged_cache_file_is_found(no_leaks):
    store = store_of(synthetic_dataset(5700), 0)
    taken(store)
    (path,) = no_leaks.rglob("blocks")
    damaged = bytearray(path.read_bytes())
    damaged[5000] ^= 4
    path.write_bytes(damaged)
    with store.scan() as scan, pytest.raises(CorruptFileError, match="damaged at byte 4,096"):
        list(iter(scan.take, None))
    store.close()


def test_a_full_disk_is_found_before_anything_is_written():
    store = store_of(synthetic_dataset(5700), 0)
    store.adopt(replace(store.plan, cached_bytes=1 << 60))
    with store.scan() as scan, pytest.raises(DiskFullError, match="needs at least"):
        list(iter(scan.take, None))
    store.close()


def test_a_store_does_not_keep_its_dataset_alive():
    dataset = synthetic_dataset(5700)
    store = store_of(dataset, 1700)
    taken(store)
    alive = weakref.ref(dataset)
    del dataset
    gc.collect()
    assert alive() is None
    store.close()


def test_a_forgotten_store_leaves_no_file(no_leaks):
    store = store_of(synthetic_dataset(5700), 0)
    taken(store)
    del store
    assert not list(no_leaks.rglob("blocks"))


def test_dropped_rows_keep_their_numbers():
    X = np.arange(6000.0).reshape(3000, 2)
    X[::7, 1] = np.nan
    dataset = Dataset(ArraySource(X), (0, 1), missing="drop", dtype=np.dtype(np.float32))
    store = store_of(dataset, 500, block_rows=320)
    expected = np.flatnonzero(np.arange(3000) % 7)
    for _ in range(3):
        rows = np.sort(np.concatenate([block.row_numbers for block in taken(store, 2)]))
        assert np.array_equal(rows, expected)
    store.close()


def test_blocks_are_expected_in_the_order_they_are_taken(monkeypatch):
    store = store_of(synthetic_dataset(5700), 0)
    taken(store)
    expected, read = [], []
    expect, read_back = BlockCache.expect, BlockCache.read

    def expecting(cache, stored):
        expected.append(stored.offset)
        expect(cache, stored)

    def reading(cache, stored, buffer):
        read.append((stored.offset, len(expected)))
        return read_back(cache, stored, buffer)

    monkeypatch.setattr(BlockCache, "expect", expecting)
    monkeypatch.setattr(BlockCache, "read", reading)
    largest = max(place.n_bytes for place in store.find(store._dataset.cells))
    monkeypatch.setattr("shoal.data.store._AHEAD_BYTES", 3 * largest)
    for _ in range(2):
        expected.clear(), read.clear()
        taken(store, 1)
        assert [offset for offset, _ in read] == expected
        n_ahead = [n_expected - position for position, (_, n_expected) in enumerate(read)]
        assert n_ahead == [min(4, len(read) - position) for position in range(len(read))]
    store.close()
