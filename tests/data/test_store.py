"""The block store: each row once a scan, wherever its block is; within its bounds."""

import gc
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
from tests.data.synthetic import SyntheticSource, expected_rows, synthetic_dataset

from shoal.data.arrays import ArraySource
from shoal.data.dataset import Dataset
from shoal.data.plan import plan
from shoal.data.store import BlockStore
from shoal.exceptions import CorruptFileError, DiskFullError, NonFiniteError

pytestmark = pytest.mark.usefixtures("no_leaks")


def store_of(dataset, kept_rows, block_rows=320, n_threads=2, beside_row_bytes=8, **settings):
    """A store that keeps so many rows in memory."""
    good = plan(dataset, 10**9, n_threads, beside_row_bytes)
    row = good.row_bytes
    cached = max(dataset.n_rows - kept_rows, 0) * row
    return BlockStore(
        dataset,
        replace(
            good, kept_bytes=kept_rows * row, block_rows=block_rows, cached_bytes=cached, **settings
        ),
    )


def taken(store, n_threads=1, **settings):
    """The blocks of one scan, copied, in the order in which they came."""
    blocks = []

    def take(scan):
        while (block := scan.take()) is not None:
            blocks.append(replace(block, X=block.X.copy()))

    with store.scan(**settings) as scan:
        threads = [threading.Thread(target=take, args=(scan,)) for _ in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert scan.take() is None
    return blocks


def check_rows(blocks, n_rows, n_columns=3):
    """Blocks hold all rows of the synthetic source, each once."""
    blocks = sorted(blocks, key=lambda block: block.first_row)
    first_row = 0
    for block in blocks:
        assert block.first_row == first_row
        assert np.array_equal(block.X, expected_rows(first_row, block.n_rows, n_columns))
        assert np.array_equal(block.minimum, block.X.min(axis=0))
        assert np.array_equal(block.maximum, block.X.max(axis=0))
        first_row += block.n_rows
    assert first_row == n_rows


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
@pytest.mark.parametrize("met_before", [False, True])
def test_ordered_scans_are_in_order(kept_rows, met_before):
    store = store_of(synthetic_dataset(5700), kept_rows)
    if met_before:
        taken(store)
    first_rows = [block.first_row for block in taken(store, ordered=True)]
    assert first_rows == sorted(first_rows)
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


def test_direction_alternates():
    store = store_of(synthetic_dataset(5700), 0)
    forward, back, again = ([block.first_row for block in taken(store)] for _ in range(3))
    assert sorted(forward) == again
    assert back == again[::-1]
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


def test_cells_of_a_source_in_memory_are_shared_by_threads():
    dataset = synthetic_dataset(50_000, cell_rows=50_000, in_memory=True)
    store = store_of(dataset, 10**6, block_rows=100)
    meeting = threading.Barrier(2, timeout=20)

    def take(scan):
        for _ in range(3):
            assert scan.take() is not None
            meeting.wait()

    with store.scan() as scan:
        threads = [threading.Thread(target=take, args=(scan,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(dataset.source.reading_threads) == 2
    assert not meeting.broken
    store.close()


@pytest.mark.parametrize("n_taken", [0, 1, 7])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("met_before", [False, True])
def test_a_cancelled_scan_ends_and_spoils_nothing(n_taken, ordered, met_before):
    store = store_of(synthetic_dataset(5700), 1700)
    if met_before:
        taken(store)
    n_threads = threading.active_count()
    with store.scan(ordered=ordered) as scan:
        assert all(scan.take() is not None for _ in range(n_taken))
        scan.cancel()
        scan.cancel()
        assert scan.take() is None
    assert threading.active_count() == n_threads
    check_rows(taken(store), 5700)
    check_rows(taken(store), 5700)
    store.close()


def test_half_read_cells_do_not_count():
    store = store_of(synthetic_dataset(5700), 10**6)
    for _ in range(50):
        with store.scan() as scan:
            scan.take()
    assert store._kept_bytes == 0
    store.close()


def test_scans_may_overlap():
    store = store_of(synthetic_dataset(5700), 1700)
    with store.scan(ordered=True) as outer:
        first = outer.take()
        check_rows(taken(store), 5700)
        check_rows([first, *iter(outer.take, None)], 5700)
    kept_bytes = store._kept_bytes
    with store.scan(ordered=True) as outer:
        first = outer.take()
        check_rows(taken(store), 5700)
        rest = [replace(block, X=block.X.copy()) for block in iter(outer.take, None)]
        check_rows([first, *rest], 5700)
    assert store._kept_bytes == kept_bytes
    store.close()


def test_buffers_are_not_used_again_while_somebody_looks():
    store = store_of(synthetic_dataset(5700), 0)
    taken(store)
    with store.scan() as scan:
        check_rows(list(iter(scan.take, None)), 5700)
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
