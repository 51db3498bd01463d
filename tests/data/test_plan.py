"""Plans: a budget in, sizes of blocks out; and what budgets and thread counts may be."""

import os
from collections import namedtuple
from dataclasses import replace

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.synthetic import synthetic_dataset

from shoal.data import plan as planning
from shoal.data.arrays import CELL_ROWS, ArraySource
from shoal.data.dataset import Dataset
from shoal.data.plan import available_memory_bytes, format_bytes, memory_bytes, plan, threads
from shoal.exceptions import MemoryBudgetError, ParameterError

pmem = namedtuple("pmem", ["rss"])


@pytest.fixture(autouse=True)
def libraries(monkeypatch):
    """Plans for a process whose libraries take 64 MB of the budget."""
    measured = planning._libraries_bytes
    measured.cache_clear()
    monkeypatch.setattr(planning, "_libraries_bytes", lambda: 64_000_000)
    yield measured
    measured.cache_clear()


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("2GB", 2_000_000_000),
        ("2 gb", 2_000_000_000),
        ("512MiB", 512 * 2**20),
        ("1.5k", 1500),
        (".5 TiB", 2**39),
        ("100", 100),
        ("7b", 7),
        (np.int64(12), 12),
        (12, 12),
    ],
)
def test_memory_bytes(text, n_bytes):
    assert memory_bytes(text) == n_bytes
    assert type(memory_bytes(text)) is int


@pytest.mark.parametrize(
    "bad", ["", "GB", "-1GB", "2GG", "1e9", "two GB", "nan", "inf", "0", 0, -5, 1.5, True, [1]]
)
def test_bad_memory_is_refused(bad):
    with pytest.raises(ParameterError, match="memory must be"):
        memory_bytes(bad)


def test_memory_is_half_of_what_is_available():
    available = psutil.virtual_memory().available
    assert memory_bytes(None) <= available_memory_bytes() // 2 + (256 << 20)
    assert available_memory_bytes() <= available + (512 << 20)


@pytest.mark.parametrize(
    ("held", "left_to_libraries"), [(10, 0), (160, 34), (247, 121), (9000, 160)]
)
def test_what_a_process_holds_before_its_first_pass_is_left_to_it(
    monkeypatch, libraries, held, left_to_libraries
):
    process = type("Process", (), {"memory_info": lambda _: pmem(held * 10**6)})
    monkeypatch.setattr(psutil, "Process", process)
    assert libraries() == left_to_libraries * 10**6


@pytest.mark.parametrize("bad", [0, -1, 1.0, "2", True])
def test_bad_threads_are_refused(bad):
    with pytest.raises(ParameterError, match="n_threads must be"):
        threads(bad)


@pytest.fixture
def control_group(tmp_path, monkeypatch):
    """A control group, as files to be written."""
    monkeypatch.setattr(planning, "_control_groups", lambda controller: (tmp_path,))
    return tmp_path


@pytest.mark.parametrize(
    "limits",
    [
        {"memory.max": "3000000", "memory.current": "2000000"},
        {"memory.limit_in_bytes": "3000000", "memory.usage_in_bytes": "2000000"},
    ],
    ids=["version 2", "version 1"],
)
def test_limits_of_control_groups_are_kept(control_group, limits):
    for name, text in limits.items():
        (control_group / name).write_text(text + "\n")
    (control_group / "memory.stat").write_text("anon 5\ninactive_file 500000\n")
    assert available_memory_bytes() == 1_500_000
    assert memory_bytes(None) == 750_000


def test_no_limit_is_no_limit(control_group):
    before = available_memory_bytes()
    (control_group / "memory.max").write_text("max\n")
    assert available_memory_bytes() == pytest.approx(before, rel=0.2)


@pytest.mark.parametrize(
    ("limits", "n_threads"),
    [
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "20000 100000"}, 1),
        ({"cpu.cfs_quota_us": "100000", "cpu.cfs_period_us": "100000"}, 1),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, None),
    ],
)
def test_quotas_of_processors_are_kept(control_group, limits, n_threads):
    for name, text in limits.items():
        (control_group / name).write_text(text + "\n")
    assert threads(None) == (n_threads or len(os.sched_getaffinity(0)))


def test_a_large_file_is_kept_in_part_and_cached_in_part():
    dataset = synthetic_dataset(10_000_000, 64, 500_000)
    found = plan(dataset, 10**9, 2)
    assert found.row_bytes == 256
    assert found.block_rows == 2**24 // 256
    assert found.cached_bytes == 10_000_000 * 256 - found.kept_bytes
    assert found.kept_rows == found.kept_bytes // 256
    text = str(found)
    for words in ("1 GB", "2 threads", "65,536 rows", "4 blocks", "cache file", "10,000,000 rows"):
        assert words in text


def test_what_fits_needs_no_cache_file():
    found = plan(synthetic_dataset(1_000_000, 8), 10**9, 2)
    assert found.cached_bytes == 0
    assert found.kept_rows == 1_000_000
    assert "cache file" not in str(found)


def test_arrays_cost_nothing_and_keep_threads_busy():
    found = plan(Dataset(ArraySource(np.zeros((1_000_000, 16))), tuple(range(16))), 1000, 2)
    assert found.are_views
    assert found.in_flight_bytes == found.cached_bytes == 0
    assert found.block_rows == CELL_ROWS
    wide = plan(Dataset(ArraySource(np.zeros((20_000, 1000))), tuple(range(1000))), 1000, 2)
    assert wide.block_rows * wide.row_bytes <= 2**24
    short = plan(Dataset(ArraySource(np.zeros((20_000, 2))), (0, 1)), 1000, 2)
    assert short.block_rows == 4032


@pytest.mark.parametrize(("n_features", "n_blocks"), [(1, 1), (64, 1), (80, 1), (100, 2), (300, 5)])
def test_blocks_of_an_array_leave_no_small_rest(n_features, n_blocks):
    X = np.broadcast_to(np.float32(0), (900_000, n_features))
    dataset = Dataset(ArraySource(X), tuple(range(n_features)), dtype=X.dtype, target=X[:, 0])
    found = plan(dataset, 10**6, 1)
    assert -(-CELL_ROWS // found.block_rows) == n_blocks
    assert n_blocks * found.block_rows - CELL_ROWS < 64 * n_blocks


@pytest.mark.parametrize("window_rows", [1, 48, 1000, 50_000, 10**7])
def test_blocks_are_whole_windows_or_all_rows(window_rows):
    dataset = replace(synthetic_dataset(10**6, 64, 10**5), window_rows=window_rows)
    for memory in (10**8, 10**9, 10**11):
        try:
            block_rows = plan(dataset, memory, 2).block_rows
        except MemoryBudgetError:
            assert window_rows * dataset.row_bytes * 8 > memory // 4
        else:
            assert block_rows % window_rows == 0 or block_rows == dataset.n_rows


def test_converted_arrays_count():
    found = plan(Dataset(ArraySource(np.zeros((1_000_000, 16), int)), tuple(range(16))), 10**8, 2)
    assert not found.are_views
    assert found.in_flight_bytes > 0
    assert found.cached_bytes == 0


def test_what_stands_beside_blocks_is_reserved_where_it_fits():
    dataset = synthetic_dataset(10_000_000, 16)
    without, small, large = (plan(dataset, 4 * 10**8, 2, beside) for beside in (0, 12, 1200))
    assert small.beside_bytes == 120_000_000
    assert small.kept_bytes == without.kept_bytes - small.beside_bytes
    assert small.block_rows == without.block_rows == large.block_rows
    assert large.beside_bytes == 0
    assert large.kept_bytes == without.kept_bytes


class HungrySource(type(synthetic_dataset(1).source)):
    column_bytes = 10_000_000

    def reader_bytes(self, columns):
        return self.column_bytes * len(columns)


def test_readers_are_fewer_where_memory_is_short():
    dataset = Dataset(HungrySource(10**6, 10), tuple(range(10)), dtype=np.dtype(np.float32))
    assert [plan(dataset, memory, 4).n_readers for memory in (10**9, 4 * 10**8)] == [4, 2]


@given(
    memory=st.integers(1, 2 * 10**9),
    n_threads=st.integers(1, 64),
    n_columns=st.integers(1, 3000),
    n_rows=st.integers(1, 10**8),
    reader_bytes=st.sampled_from([0, 100_000, 10_000_000]),
)
def test_plans_fit_or_say_what_would(memory, n_threads, n_columns, n_rows, reader_bytes):
    source = HungrySource(n_rows, n_columns, n_rows)
    source.column_bytes = reader_bytes // n_columns
    dataset = Dataset(source, tuple(range(n_columns)), dtype=np.dtype(np.float32))

    def check(found):
        taken = found.in_flight_bytes + found.n_readers * found.reader_bytes
        taken += found.beside_bytes + found.kept_bytes
        assert taken <= found.memory_bytes
        assert found.kept_bytes >= 0
        assert 1 <= found.block_rows <= n_rows

    try:
        check(plan(dataset, memory, n_threads, 8))
    except MemoryBudgetError as error:
        words = str(error)
        assert "would suffice" in words
        suffices = words.split(" would suffice", maxsplit=1)[0].rsplit(". ", 1)[1]
        check(plan(dataset, memory_bytes(suffices), n_threads, 8))


def test_numbers_read_well():
    assert format_bytes(999) == "999 B"
    assert format_bytes(12_300_000_000_000) == "12.3 TB"
