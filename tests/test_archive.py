"""Trees of values and arrays in one file: every bit back, every damaged byte found."""

import copy
import errno
import os
import stat
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from shoal import _archive
from shoal.exceptions import DiskFullError, FileError

TREE = {
    "text": "é\n",
    "nothing": None,
    "numbers": [True, 1, -0.0, 2**100, float("nan"), float("-inf"), 5e-324],
    "pair": (1, (2.5, "x")),
    "scalars": [np.float32(0.1), np.int64(-1), np.bool_(True), np.str_("s")],
    "types": [np.dtype("<f4"), np.float64],
    "names": np.array(["a", "b"], dtype=object),
    "arrays": {"f": np.asfortranarray(np.eye(3, 2)), "odd key": np.arange(3, dtype=np.uint8)},
    "empty": [np.zeros((0, 3)), {}, [], ()],
}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | npst.array_dtypes().filter(lambda dtype: dtype.names is None)
    | npst.arrays(npst.scalar_dtypes(), npst.array_shapes(min_dims=0, min_side=0, max_side=4))
    | npst.arrays(npst.scalar_dtypes(), ()).map(lambda array: array[()]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text().filter(lambda key: not key.startswith("$")), inner, max_size=3)
    ),
    max_leaves=8,
)


def assert_identical(again, value):
    assert type(again) is type(value)
    match value:
        case np.ndarray() if value.dtype == object:
            assert again.tolist() == value.tolist()
        case np.ndarray() | np.generic():
            assert (again.dtype, again.shape) == (value.dtype, value.shape)
            assert again.tobytes() == value.tobytes()
        case list() | tuple():
            assert len(again) == len(value)
            for one, other in zip(again, value, strict=True):
                assert_identical(one, other)
        case dict():
            assert list(again) == list(value)
            assert_identical(list(again.values()), list(value.values()))
        case float():
            assert np.float64(again).tobytes() == np.float64(value).tobytes() or again != again
        case _:
            assert again == value


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive"


def test_gives_back_every_bit(path):
    _archive.write(path, TREE)
    assert_identical(_archive.read(path), TREE)


@given(tree=values)
def test_gives_back_any_tree(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("archive") / "archive"
    _archive.write(path, {"tree": tree})
    assert_identical(_archive.read(path), {"tree": tree})


@pytest.mark.parametrize("order", ["C", "F"])
def test_keeps_the_memory_order(path, order):
    _archive.write(path, {"array": np.ones((3, 4), order=order)})
    assert _archive.read(path)["array"].flags[f"{order}_CONTIGUOUS"]


def test_numpy_reads_the_arrays(path):
    _archive.write(path, {"fitted": {"coef_": np.arange(3.0)}, "many": (np.eye(2),)})
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["fitted/coef_"], [0, 1, 2])
        np.testing.assert_array_equal(arrays["many/0"], np.eye(2))


def test_equal_trees_give_equal_files(tmp_path, monkeypatch):
    _archive.write(tmp_path / "one", TREE)
    another_day = time.struct_time((2030, 1, 2, 3, 4, 5, 0, 2, 0))
    monkeypatch.setattr(time, "localtime", lambda *_: another_day)
    _archive.write(tmp_path / "other", TREE)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_any_damaged_byte_is_found(path):
    _archive.write(path, {"number": 1.5, "array": np.arange(2)})
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(_archive.DamagedError):
            _archive.read(path)


def test_any_other_length_is_found(path):
    _archive.write(path, {"number": 1.5})
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(_archive.DamagedError):
            _archive.read(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(_archive.DamagedError):
        _archive.read(path)


def seal(path):
    """Make the checksum match whatever content somebody has put before it."""
    with path.open("r+b") as file:
        digest = _archive._digest(file)
        file.seek(-_archive.DIGEST_BYTES, os.SEEK_END)
        file.write(digest)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("other.json", b"{}"),
        ("tree.json", b"{"),
        ("tree.json", b'{"a": {"$array": "missing"}}'),
        ("tree.json", b'{"a": {"$scalar": ["<f8", "00"]}}'),
        ("tree.json", b'{"a": {"$unknown": 1}}'),
        ("tree.json", b'{"a": {"$dtype": "nonsense"}}'),
    ],
)
def test_a_forged_layout_is_found(path, name, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
        archive.comment = b"0" * _archive.DIGEST_BYTES
    seal(path)
    with pytest.raises(_archive.DamagedError, match="laid out"):
        _archive.read(path)


def test_pickles_are_not_run(path):
    trap = np.array([Trap()], dtype=object)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tree.json", '{"a": {"$array": "a"}}')
        with archive.open("a.npy", "w") as member:
            np.lib.format.write_array(member, trap)
        archive.comment = b"0" * _archive.DIGEST_BYTES
    seal(path)
    with pytest.raises(_archive.DamagedError):
        _archive.read(path)


class Trap:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "a.0 is of type object"),
        (len, "a.0 is of type builtin_function_or_method"),
        ({1: 2}, "a.0 has the key 1"),
        ({"$array": 2}, r"a.0 has the key '\$array'"),
        (np.array([1, None], dtype=object), "a.0 is an array of objects"),
        (np.ma.masked_array([1.0], [True]), "a.0 is of type MaskedArray"),
        (errno.errorcode.__class__, "a.0 is of type type"),
    ],
)
def test_what_cannot_be_stored_is_named(path, value, message):
    with pytest.raises(_archive.UnstorableError, match=message) as caught:
        _archive.write(path, {"a": [value]})
    assert caught.value.value is not None
    assert not path.exists()


def test_an_error_leaves_the_old_file_and_nothing_else(path):
    _archive.write(path, {"number": 1})
    with suppress(RuntimeError), _archive.replacing(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert _archive.read(path) == {"number": 1}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.ENOSPC, DiskFullError), (errno.EDQUOT, DiskFullError)]
)
def test_a_full_disk_is_named(path, monkeypatch, code, kind):
    def fsync(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(kind, match=f"cannot write {path}"):
        _archive.write(path, {})
    assert list(path.parent.iterdir()) == []


def test_a_missing_file_is_named(path):
    with pytest.raises(FileError, match=f"cannot read {path}: No such file"):
        _archive.read(path)


def test_a_folder_that_is_a_file_is_named(path):
    path.touch()
    with pytest.raises(FileError, match=r"cannot write .*Not a directory"):
        _archive.write(path / "archive", {})


@pytest.mark.parametrize(
    "check", [lambda path: _archive.write(path, TREE), _archive.check_writable]
)
def test_only_a_file_gives_way_to_a_file(tmp_path, monkeypatch, check):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileError, match="pipe: A device or pipe is there, not a file"):
        check(pipe)
    assert pipe.is_fifo()
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, Path()):
        with pytest.raises(FileError, match=f"cannot write {folder}: Is a directory"):
            check(folder)
    assert list(tmp_path.iterdir()) == [pipe]


def test_files_have_the_usual_permissions(path):
    before = os.umask(0o027)
    try:
        _archive.write(path, {})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_left_over_files_are_those_of_the_path(tmp_path):
    for name in (".a[1].0123abcd.tmp", ".a[1].tmp", ".a1.0123abcd.tmp", "a[1].0123abcd.tmp"):
        Path(tmp_path, name).touch()
    assert [path.name for path in _archive.left_over(tmp_path / "a[1]")] == [".a[1].0123abcd.tmp"]


@given(tree=values)
def test_fingerprints_are_of_values(tree):
    assert _archive.fingerprint([tree]) == _archive.fingerprint([copy.deepcopy(tree)])


def test_fingerprints_do_not_depend_on_the_order_of_keys():
    tree = {"a": np.zeros(1), "b": np.ones(1)}
    assert _archive.fingerprint(tree) == _archive.fingerprint(dict(reversed(tree.items())))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (0.0, -0.0),
        ((1,), [1]),
        ("1", 1),
        (None, False),
        (np.zeros(2), np.zeros(2, dtype=np.float32)),
        (np.zeros(2), np.zeros((2, 1))),
        (np.zeros(2), -np.zeros(2)),
        (np.float64(1), 1.0),
        ([np.zeros(1), np.ones(1)], [np.ones(1), np.zeros(1)]),
    ],
)
def test_fingerprints_tell_apart(one, other):
    assert _archive.fingerprint({"a": one}) != _archive.fingerprint({"a": other})


def test_fingerprints_do_not_depend_on_memory_order():
    array = np.arange(6.0).reshape(2, 3)
    tree, transposed = {"a": array}, {"a": np.asfortranarray(array)}
    assert _archive.fingerprint(tree) == _archive.fingerprint(transposed)
