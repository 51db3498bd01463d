"""Scans: blocks or cells, each handed to one caller."""

import threading
from contextlib import closing
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests.data.stores import check_rows, store_of, taken
from tests.data.synthetic import SyntheticSource, synthetic_dataset

from shoal.data.dataset import Dataset
from shoal.exceptions import FileError

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.mark.parametrize("kept_rows", [0, 1700, 10**6])
@pytest.mark.parametrize("met_before", [False, True])
def test_ordered_scans_are_in_order(kept_rows, met_before):
    store = store_of(synthetic_dataset(5700), kept_rows)
    if met_before:
        taken(store)
    first_rows = [block.first_row for block in taken(store, ordered=True)]
    assert first_rows == sorted(first_rows)
    store.close()


def test_direction_alternates():
    store = store_of(synthetic_dataset(5700), 0)
    forward, back, again = ([block.first_row for block in taken(store)] for _ in range(3))
    assert sorted(forward) == again
    assert back == again[::-1]
    store.close()


def test_blocks_in_memory_and_on_disk_are_evenly_mixed():
    store = store_of(synthetic_dataset(5700), 1700)
    taken(store)
    with store.scan() as scan:
        on_disk = [block.X.base is not None for block in iter(scan.take, None)]
    n_kept = on_disk.count(False)
    assert 1 < n_kept < len(on_disk) / 2
    assert all(a or b for a, b in pairwise(on_disk))
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


def cells_taken(store, n_threads=1, **settings):
    """The row numbers of each cell in the order in which they came, by index."""
    rows = {}

    def take(scan):
        while (item := scan.take()) is not None:
            cell, blocks = item
            with closing(blocks):
                rows[cell.index] = [row for block in blocks for row in block.row_numbers]

    with store.scan_cells(**settings) as scan:
        threads = [threading.Thread(target=take, args=(scan,)) for _ in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert scan.take() is None
    return rows


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("kept_rows", [0, 1700, 10**6], ids=["cached", "mixed", "kept"])
@pytest.mark.parametrize("in_memory", [False, True], ids=["file", "memory"])
def test_cells_come_whole_and_in_order(kept_rows, n_threads, in_memory):
    store = store_of(
        synthetic_dataset(5700, in_memory=in_memory, dtype=np.float64), kept_rows, n_threads=2
    )
    expected = {i: [*range(1000 * i, min(1000 * i + 1000, 5700))] for i in range(6)}
    for _ in range(3):
        assert cells_taken(store, n_threads) == expected
        check_rows(taken(store), 5700)
    store.close()


@pytest.mark.parametrize("kept_rows", [0, 1700, 10**6])
def test_cells_of_a_file_are_read_once_unless_nothing_is_kept(kept_rows):
    dataset = synthetic_dataset(5700)
    store = store_of(dataset, kept_rows)
    for n_reads in (1, 2):
        cells_taken(store, keep=False)
        assert sorted(dataset.source.read_cells) == sorted([*range(6)] * n_reads)
    for _ in range(3):
        cells_taken(store)
        taken(store)
    assert sorted(dataset.source.read_cells) == sorted([*range(6)] * 3)
    store.close()


def test_no_more_cells_are_read_at_a_time_than_planned():
    class Counting(SyntheticSource):
        n_open = most_open = 0

        def read(self, cell, columns, max_rows):
            self.n_open += 1
            self.most_open = max(self.most_open, self.n_open)
            yield from super().read(cell, columns, max_rows)
            self.n_open -= 1

    dataset = Dataset(Counting(5700), (0,), dtype=np.dtype(np.float32))
    store = store_of(dataset, 10**6, n_readers=1)
    cells_taken(store, 5)
    assert dataset.source.most_open == 1
    store.close()


@pytest.mark.parametrize("kept_rows", [0, 1700, 10**6])
@pytest.mark.parametrize("met_before", [False, True])
def test_a_cancelled_scan_of_cells_ends_and_spoils_nothing(kept_rows, met_before):
    store = store_of(synthetic_dataset(5700), kept_rows)
    if met_before:
        taken(store)
    with store.scan_cells() as scan:
        _, blocks = scan.take()
        with closing(blocks):
            next(blocks)
            scan.cancel()
            assert next(blocks, None) is None
        assert scan.take() is None
    check_rows(taken(store), 5700)
    store.close()


def test_an_error_while_a_cell_is_read_lets_the_others_be_read():
    class Failing(SyntheticSource):
        def read(self, cell, columns, max_rows):
            yield from super().read(cell, columns, max_rows)
            if cell.index == 2:
                raise FileError("no more")

    dataset = Dataset(Failing(5700), (0, 1, 2), dtype=np.dtype(np.float32))
    store = store_of(dataset, 10**6, n_readers=1)
    with store.scan_cells() as scan:
        for cell, blocks in iter(scan.take, None):
            with closing(blocks):
                if cell.index == 2:
                    with pytest.raises(FileError, match="no more"):
                        list(blocks)
                else:
                    assert sum(block.n_rows for block in blocks) == cell.n_rows
    store.close()
