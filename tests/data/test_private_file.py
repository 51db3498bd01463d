"""Private files: this user's alone, checked when they are read, and nothing left behind."""

import errno
import os
import pathlib
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xxhash
from tests.full_disk import no_room

from shoal.data.private_file import PrivateFile
from shoal.exceptions import CorruptFileError, DiskFullError, FileError

pytestmark = pytest.mark.usefixtures("no_leaks")

#: More than goes in one call.
VALUES = np.random.default_rng(0).bytes(3_000_000)


def file_in(directory=None, expected_bytes=0):
    return PrivateFile("blocks", "block cache", "wait", expected_bytes, directory)


@pytest.fixture
def file(no_leaks):
    file = file_in()
    yield file
    file.close()


def write(file, offset, *pieces):
    """The checksum of what was written."""
    digest = xxhash.xxh3_64()
    file.write(offset, [memoryview(piece) for piece in pieces], digest)
    return digest.intdigest()


def read(file, offset, n_bytes, checksum):
    room, digest = bytearray(n_bytes), xxhash.xxh3_64()
    file.read(offset, memoryview(room), digest)
    file.check(offset, digest, checksum)
    return bytes(room)


def test_what_was_written_comes_back(file):
    checksum = write(file, 4096, VALUES[:10], b"", VALUES[10:])
    assert read(file, 4096, len(VALUES), checksum) == VALUES
    assert file.path.stat().st_size == 4096 + len(VALUES)


@pytest.mark.parametrize("place", [0, 1 << 20, 2_999_999])
def test_a_flipped_bit_is_found(file, place):
    checksum = write(file, 100, VALUES)
    damaged = bytearray(file.path.read_bytes())
    damaged[100 + place] ^= 8
    file.path.write_bytes(damaged)
    with pytest.raises(CorruptFileError, match=r"block cache .* is damaged at byte 100 or behind"):
        read(file, 100, len(VALUES), checksum)


@pytest.mark.parametrize("n_bytes", [0, 50, 100, 2_000_000])
def test_a_file_cut_short_is_found(file, n_bytes):
    checksum = write(file, 100, VALUES)
    os.truncate(file.path, n_bytes)
    with pytest.raises(CorruptFileError, match="changed or cut short"):
        read(file, 100, len(VALUES), checksum)


def test_room_is_laid_out_before_it_is_written(file):
    file.allocate(0, 10_000)
    assert file.path.stat().st_size == 10_000
    with no_room(), pytest.raises(DiskFullError, match=r"No room for the block cache .* or wait"):
        file.allocate(0, 20_000)
    with no_room(), pytest.raises(DiskFullError, match=r"needs at least 1.05 MB more"):
        write(file, 4096, VALUES)


def test_a_disk_without_room_is_refused_at_once(tmp_path):
    with pytest.raises(DiskFullError, match=r"No room .* needs at least .* more") as caught:
        file_in(tmp_path, 1 << 60)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["lock"]
    assert caught.value.errno == errno.ENOSPC


def test_only_this_user_may_look(file):
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.path.parent.parent.stat().st_mode) == 0o700


def test_close_removes_everything(no_leaks):
    file = file_in()
    folder = file.path.parent
    assert folder.is_relative_to(no_leaks)
    file.close()
    file.close()
    assert not folder.exists()


def test_a_forgotten_cache_is_removed():
    file = file_in()
    folder = file.path.parent
    del file
    assert not folder.exists()


@pytest.mark.parametrize("variable", ["SHOAL_CACHE_DIR", "XDG_CACHE_HOME", "TMPDIR"])
def test_where_caches_go(tmp_path, monkeypatch, variable):
    for name in ("SHOAL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    file = file_in()
    assert file.path.is_relative_to(tmp_path / f"shoal-{os.geteuid()}")
    file.close()


def run(code, folder, **settings):
    """A Python process that runs `code` with block caches in `folder`."""
    environment = os.environ | {"SHOAL_CACHE_DIR": str(folder)}
    head = (
        "import os, signal, sys, time\n"
        "from shoal.data.private_file import PrivateFile\n"
        "file = PrivateFile('blocks', 'block cache', 'wait', 0)\n"
        "print(file.path.parent, flush=True)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", head + code],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        **settings,
    )


def folder_of(process):
    return Path(process.stdout.readline().strip())


@pytest.mark.parametrize(
    "end", ["pass", "sys.exit(3)", "raise KeyboardInterrupt"], ids=["end", "exit", "interrupt"]
)
def test_a_process_that_ends_removes_its_folder(tmp_path, end):
    with run(end, tmp_path, stderr=subprocess.DEVNULL) as process:
        folder = folder_of(process)
        process.wait()
    assert folder.parent.parent == tmp_path
    assert not folder.exists()


def test_the_folder_of_a_killed_process_is_removed_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOAL_CACHE_DIR", str(tmp_path))
    with run("time.sleep(60)", tmp_path) as killed, run("time.sleep(60)", tmp_path) as living:
        orphan, theirs = folder_of(killed), folder_of(living)
        mine = file_in()
        folders = (orphan, theirs, mine.path.parent)
        assert {*orphan.parent.iterdir()} == {orphan.parent / "lock", *folders}
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert pathlib.Path(orphan).exists()
        other = file_in()
        assert not pathlib.Path(orphan).exists()
        assert pathlib.Path(theirs).exists()
        assert mine.path.exists()
        living.kill()
        mine.close()
        other.close()


def test_a_forked_child_leaves_its_parents_folder(tmp_path):
    code = (
        "child = os.fork()\n"
        "if child == 0: sys.exit()\n"
        "os.waitpid(child, 0)\n"
        "print(file.path.exists())\n"
    )
    with run(code, tmp_path) as process:
        folder_of(process)
        assert process.stdout.read() == "True\n"


def test_a_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOAL_CACHE_DIR", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"shoal-{os.geteuid()}").symlink_to(elsewhere)
    with pytest.raises(FileError, match="not a folder of this user"):
        file_in()
    assert not list(elsewhere.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(FileError, match="SHOAL_CACHE_DIR names another folder") as caught:
        file_in(blocker)
    assert caught.value.errno == errno.ENOTDIR


def test_what_is_expected_is_read_ahead(file, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _, *advice: asked.append(advice))
    monkeypatch.setattr(file, "_is_at_hand", lambda offset: offset == 4096 + 299_999)
    file.expect(4096, 300_000)
    assert not asked
    monkeypatch.setattr(file, "_is_at_hand", lambda offset: False)
    file.expect(4096, 300_000)
    assert {advice for *_, advice in asked} == {os.POSIX_FADV_WILLNEED}
    starts = [start for start, *_ in asked]
    assert starts == [4096, 4096 + 2**17, 4096 + 2**18]
    assert {n_bytes for _, n_bytes, _ in asked} == {2**17}


def test_nothing_is_read_ahead_where_nobody_can_ask(file, monkeypatch):
    monkeypatch.delattr(os, "posix_fadvise")
    file.expect(0, 100)


def test_a_closed_file_is_not_read_ahead(file):
    file.close()
    file.expect(0, 100)
