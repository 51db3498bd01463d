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


def filled(storage, rows, numbers):
    half = len(rows) // 2
    storage.write(half, rows[half:], numbers[half:])
    storage.write(0, rows[:half], numbers[:half])
    return storage


def read(storage, start, stop):
    strips = list(storage.read(start, stop))
    return [np.concatenate(parts) for parts in zip(*strips, strict=True)]


@pytest.mark.parametrize("kind", [RowArrays, RowFile])
def test_rows_come_back_from_anywhere(kind, monkeypatch):
    monkeypatch.setattr(row_storage, "_STRIP_BYTES", 100)
    rows = np.random.default_rng(0).normal(size=(500, 3)).astype(F4)
    numbers = np.arange(500)[::-1] + 2**40
    storage = filled(kind(500, 3, F4), np.asfortranarray(rows), numbers)
    for start, stop in [(0, 500), (7, 300), (499, 500)]:
        found, named = read(storage, start, stop)
        assert found.dtype == F4
        np.testing.assert_array_equal(found, rows[start:stop])
        np.testing.assert_array_equal(named, numbers[start:stop])
    assert all(strip.flags.c_contiguous for strip, _ in storage.read(0, 500))


def test_the_file_is_private_and_gone_with_its_object(tmp_path):
    storage = RowFile(10, 2, F4, tmp_path)
    path = storage.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.stat().st_size == 10 * (2 * 4 + 8)
    del storage
    gc.collect()
    assert not path.parent.exists()
    closed = RowFile(10, 2, F4, tmp_path)
    closed.close()
    closed.close()
    assert not closed.path.parent.exists()


def test_what_a_killed_process_left_is_removed(tmp_path):
    child = os.fork()
    if child == 0:
        storage = RowFile(10, 2, F4, tmp_path)
        (tmp_path / "name").write_text(str(storage.path))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    left = Path((tmp_path / "name").read_text())
    assert left.exists()
    RowFile(1, 1, F4, tmp_path).close()
    assert not left.parent.exists()


def test_a_file_cut_short(tmp_path):
    storage = filled(RowFile(10, 2, F4, tmp_path), np.ones((10, 2)), np.arange(10))
    os.truncate(storage.path, 50)
    with pytest.raises(CorruptFileError, match="ends at byte 50: it was cut short"):
        read(storage, 0, 10)
    storage.close()
    with pytest.raises(FileError, match="cannot be read"):
        read(storage, 0, 10)
    with pytest.raises(FileError, match="cannot be written"):
        storage.write(0, np.ones((1, 2)), np.arange(1))


def test_a_full_disk(tmp_path, monkeypatch):
    with pytest.raises(DiskFullError, match=r"No room.*needs? at least .*algorithm='brute'"):
        RowFile(10**15, 4, F4, tmp_path)
    with no_room(), pytest.raises(DiskFullError, match="No room for grouped rows"):
        RowFile(1000, 4, F4, tmp_path)
    monkeypatch.delattr(os, "posix_fallocate")
    storage = RowFile(1000, 4, F4, tmp_path)
    with no_room(), pytest.raises(DiskFullError, match="No room for grouped rows"):
        storage.write(0, np.ones((1000, 4), F4), np.arange(1000))
    storage.close()
    assert not list((tmp_path / f"shoal-{os.geteuid()}").glob("blocks-*"))
