"""Rows with numbers in memory or a private file: every bit back, nothing left behind."""

import gc
import os
import signal
import stat
from pathlib import Path

import numpy as np
import pytest
from tests.full_disk import no_room

from shoal.data import row_storage
from shoal.data.row_storage import RowArrays, RowFile
from shoal.exceptions import CorruptFileError, DiskFullError, FileError

pytestmark = pytest.mark.usefixtures("no_leaks")

F4 = np.dtype(np.float32)
STARTS = np.array([0, 7, 300, 300, 301, 500])


def filled(storage, rows, numbers):
    """Rows of all runs, mixed, in three parts; those of a run in order."""
    runs = np.repeat(np.arange(len(STARTS) - 1), np.diff(STARTS))
    mixed = np.random.default_rng(1).permutation(runs)
    # The rows of each run, in order, where the mixture has this run.
    order = np.argsort(np.argsort(mixed, kind="stable"), kind="stable")
    for part in np.array_split(order, 3):
        storage.append(runs[part], rows[part], numbers[part])
    return storage


def read(storage, run):
    strips = list(storage.read(run))
    return [np.concatenate(parts) for parts in zip(*strips, strict=True)]


def full_file(tmp_path):
    rng = np.random.default_rng(0)
    return filled(RowFile(STARTS, 3, F4, tmp_path), rng.random((500, 3)), rng.integers(9, size=500))


@pytest.mark.parametrize("kind", [RowArrays, RowFile])
def test_runs_come_back(kind, monkeypatch):
    monkeypatch.setattr(row_storage, "_STRIP_BYTES", 100)
    monkeypatch.setattr(row_storage, "_SORTED_BYTES", 100 * 12)
    rows = np.random.default_rng(0).normal(size=(500, 3)).astype(F4)
    numbers = np.arange(500)[::-1] + 2**40
    storage = filled(kind(STARTS, 3, F4), np.asfortranarray(rows), numbers)
    for run in (4, 0, 1, 3, 1):
        here = slice(*STARTS[run : run + 2])
        found, named = read(storage, run)
        assert found.dtype == F4
        np.testing.assert_array_equal(found, rows[here])
        np.testing.assert_array_equal(named, numbers[here])
    assert all(strip.flags.c_contiguous for strip, _ in storage.read(1))


@pytest.mark.parametrize("waiting_bytes", [0, 40 * 24, 100 * 24, 499 * 24, 10**6])
def test_rows_that_wait_for_others_come_back(tmp_path, monkeypatch, waiting_bytes):
    writes = []
    write_run = RowFile._write_run
    monkeypatch.setattr(
        RowFile,
        "_write_run",
        lambda file, run, *args: (writes.append(run), write_run(file, run, *args)),
    )
    rows = np.random.default_rng(0).normal(size=(500, 3)).astype(F4)
    numbers = np.arange(500)[::-1] + 2**40
    file = RowFile(STARTS, 3, F4, tmp_path, waiting_bytes=waiting_bytes)
    storage = filled(file, rows, numbers)
    for run in (4, 0, 1, 3, 1):
        here = slice(*STARTS[run : run + 2])
        found, named = read(storage, run)
        np.testing.assert_array_equal(found, rows[here])
        np.testing.assert_array_equal(named, numbers[here])
    if waiting_bytes == 10**6:
        assert len(writes) == 4


def test_the_file_is_private_and_gone_with_its_object(tmp_path):
    storage = RowFile(np.array([0, 10]), 2, F4, tmp_path)
    path = storage.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.stat().st_size == 10 * (2 * 4 + 8)
    del storage
    gc.collect()
    assert not path.parent.exists()
    closed = RowFile(np.array([0, 10]), 2, F4, tmp_path)
    closed.close()
    closed.close()
    assert not closed.path.parent.exists()


def test_what_a_killed_process_left_is_removed(tmp_path):
    child = os.fork()
    if child == 0:
        storage = RowFile(np.array([0, 10]), 2, F4, tmp_path)
        (tmp_path / "name").write_text(str(storage.path))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    left = Path((tmp_path / "name").read_text())
    assert left.exists()
    RowFile(np.array([0, 1]), 1, F4, tmp_path).close()
    assert not left.parent.exists()


@pytest.mark.parametrize("place", [0, 12 * 7, 12 * 300 - 1, 12 * 500, 12 * 500 + 8 * 300 - 1])
def test_a_flipped_bit_is_found_in_its_run_alone(tmp_path, place):
    storage = full_file(tmp_path)
    damaged = bytearray(storage.path.read_bytes())
    damaged[place] ^= 4
    storage.path.write_bytes(damaged)
    row = place // 12 if place < 12 * 500 else (place - 12 * 500) // 8
    for run in (0, 1, 3, 4):
        if STARTS[run] <= row < STARTS[run + 1]:
            with pytest.raises(CorruptFileError, match=r"file of grouped rows .* is damaged"):
                read(storage, run)
        else:
            read(storage, run)
    storage.close()


def test_a_file_cut_short(tmp_path):
    storage = full_file(tmp_path)
    os.truncate(storage.path, 12 * 100)
    read_before = storage.read(0)
    next(read_before)
    with pytest.raises(CorruptFileError, match=r"damaged at byte 6,000 or behind: .* cut short"):
        next(read_before)
    with pytest.raises(CorruptFileError, match=r"damaged at byte 84 or behind"):
        read(storage, 1)
    storage.close()
    with pytest.raises(FileError, match="cannot be read"):
        read(storage, 1)
    with pytest.raises(FileError, match="cannot be written"):
        storage.append(np.zeros(1, int), np.ones((1, 3)), np.arange(1))


def test_a_full_disk(tmp_path, monkeypatch):
    with pytest.raises(DiskFullError, match=r"No room.*needs? at least .*algorithm='brute'"):
        RowFile(np.array([0, 10**15]), 4, F4, tmp_path)
    runs = np.array([0, 1000])
    with no_room(), pytest.raises(DiskFullError, match="No room for the file of grouped rows"):
        RowFile(runs, 4, F4, tmp_path)
    monkeypatch.delattr(os, "posix_fallocate")
    storage = RowFile(runs, 4, F4, tmp_path)
    with no_room(), pytest.raises(DiskFullError, match="No room for the file of grouped rows"):
        storage.append(np.zeros(1000, int), np.ones((1000, 4), F4), np.arange(1000))
    storage.close()
    assert not list((tmp_path / f"shoal-{os.geteuid()}").glob("blocks-*"))
