"""The block cache: every bit back, every damaged bit found, nothing left behind."""

import errno
import os
import resource
import subprocess
import threading
from collections import deque
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from shoal.data.block import Block
from shoal.data.cache import BlockCache
from shoal.exceptions import CorruptFileError, DiskFullError, FileError
from shoal.testing.bits import bits

pytestmark = pytest.mark.usefixtures("no_leaks")


def block_of(X, **parts):
    d = X.shape[1]
    return Block(X, parts.pop("first_row", 0), np.full(d, -1.0), np.full(d, 2.0), **parts)


def parts_of(block):
    X = block.X
    matrix = (X.data, X.indices, X.indptr, X.shape) if sparse.issparse(X) else X
    return bits(
        [
            matrix,
            block.first_row,
            block.minimum,
            block.maximum,
            block.target,
            block.sample_weight,
            block.rows,
        ]
    )


def read(cache, stored):
    return cache.read(stored, buffer(stored))


def buffer(stored):
    return np.full(stored.n_bytes + 100, 7, dtype=np.uint8)


@pytest.fixture
def cache(no_leaks):
    cache = BlockCache()
    yield cache
    cache.close()


rng = np.random.default_rng(3)
DENSE = rng.standard_normal((50, 4))
BLOCKS = {
    "C": block_of(DENSE, first_row=7),
    "F": block_of(np.asfortranarray(DENSE)),
    "float32": block_of(DENSE.astype(np.float32)),
    "strided": block_of(DENSE[::2, ::3]),
    "reversed": block_of(DENSE[::-1]),
    "one column": block_of(DENSE[:, :1]),
    "one row": block_of(DENSE[:1]),
    "no column": block_of(DENSE[:, :0]),
    "csr": block_of(sparse.random_array((50, 9), density=0.2, format="csr", random_state=1)),
    "empty csr": block_of(sparse.csr_array((50, 9))),
    "all roles": block_of(
        DENSE,
        target=rng.integers(0, 9, 50),
        sample_weight=rng.random(50),
        rows=np.arange(3, 103, 2),
    ),
    "two targets": block_of(DENSE, target=rng.random((50, 2))),
    "truths": block_of(DENSE, target=rng.random(50) < 0.5),
    "objects": block_of(DENSE, target=np.array(["a", None, 3, 2.5, "b"] * 10, dtype=object)),
    "text": block_of(DENSE, target=np.array(["yes", "no"] * 25)),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_comes_back(cache, name):
    block = BLOCKS[name]
    block.beside["label"] = 3
    for _ in range(2):
        stored = cache.write(block)
    back = read(cache, stored)
    assert parts_of(back) == parts_of(block)
    assert back.beside is block.beside
    if isinstance(block.X, np.ndarray):
        for order in ("c_contiguous", "f_contiguous"):
            assert getattr(back.X.flags, order) or not getattr(block.X.flags, order)


@given(
    X=hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=30),
        elements=st.floats(-1, 1, width=16),
    ),
    fortran=st.booleans(),
)
def test_any_matrix_comes_back(cache, X, fortran):
    block = block_of(np.asfortranarray(X) if fortran else X)
    stored = cache.write(block)
    assert stored.offset % 4096 == 0
    assert parts_of(read(cache, stored)) == parts_of(block)


def test_values_are_views_of_the_buffer(cache):
    stored = cache.write(BLOCKS["F"])
    memory = buffer(stored)
    assert np.shares_memory(cache.read(stored, memory).X, memory)


def test_threads_may_write_at_a_time(cache):
    blocks = [block_of(rng.random((rng.integers(1, 500), 3)), first_row=i) for i in range(60)]
    stored = {}

    def write(some):
        for block in some:
            stored[block.first_row] = cache.write(block)

    threads = [threading.Thread(target=write, args=(blocks[i::3],)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for block in blocks:
        here = stored[block.first_row]
        assert parts_of(read(cache, here)) == parts_of(block)


def test_discarded_room_is_used_again(cache):
    blocks = [block_of(rng.random((1000, 3)), first_row=i) for i in range(40)]
    for block in blocks:
        last = cache.write(block)
        cache.discard(last)
    assert last.offset == 0
    kept = [cache.write(block) for block in blocks]
    cache.discard(kept[3])
    small = block_of(rng.random((10, 3)))
    again = [cache.write(small) for _ in range(9)]
    assert {stored.offset // kept[1].offset for stored in again[:5]} == {3}
    for block, stored in zip(blocks, kept, strict=True):
        if stored is not kept[3]:
            assert parts_of(read(cache, stored)) == parts_of(block)


@pytest.mark.parametrize("name", ["C", "csr", "all roles"])
def test_any_flipped_bit_is_found(cache, name):
    block = BLOCKS[name]
    stored = cache.write(block)
    with cache.path.open("r+b", buffering=0) as file:
        for place in rng.integers(0, stored.n_bytes, 40):
            bit = 1 << int(rng.integers(8))
            flip(file, stored.offset + int(place), bit)
            with pytest.raises(CorruptFileError, match=r"damaged at byte .*Fit again"):
                read(cache, stored)
            flip(file, stored.offset + int(place), bit)
    assert parts_of(read(cache, stored)) == parts_of(block)


def flip(file, place, bit):
    (byte,) = os.pread(file.fileno(), 1, place)
    os.pwrite(file.fileno(), bytes([byte ^ bit]), place)


def test_a_truncated_file_is_found(cache):
    stored = cache.write(BLOCKS["C"])
    os.truncate(cache.path, stored.n_bytes - 1)
    with pytest.raises(CorruptFileError, match="damaged"):
        read(cache, stored)


def test_a_closed_cache_is_not_read(cache):
    stored = cache.write(BLOCKS["C"])
    cache.close()
    with pytest.raises(FileError, match="cannot be read"):
        read(cache, stored)


def test_a_disk_without_room_is_refused_at_once(tmp_path):
    with pytest.raises(DiskFullError, match=r"No room .* needs at least .* more") as caught:
        BlockCache(1 << 60, tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["lock"]
    assert caught.value.errno == errno.ENOSPC


@contextmanager
def small_disk(path, megabytes):
    """A file system of a few megabytes of its own."""
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "shoal-test", path],
        capture_output=True,
        check=False,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not permitted here: {mounted.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def test_a_disk_that_fills_up(tmp_path):
    block = block_of(rng.random((100_000, 4)))
    with small_disk(tmp_path / "disk", 8) as disk:
        cache = BlockCache(2 << 20, disk)
        with pytest.raises(DiskFullError, match=rf"No room .*{disk}.* needs at least .*MB more"):
            deque(map(cache.write, [block] * 10))
        cache.close()
        assert [path.name for path in disk.rglob("*") if path.is_file()] == ["lock"]


def test_a_limit_on_the_size_of_files(tmp_path):
    block = block_of(rng.random((100_000, 4)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    cache = BlockCache(directory=tmp_path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(DiskFullError, match="needs at least"):
            cache.write(block)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        cache.close()
