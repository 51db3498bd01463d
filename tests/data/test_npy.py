"""Files of numpy.save."""

import subprocess
import sys

import numpy as np
import pytest

from shoal import open_dataset
from shoal.data.npy import NpySource
from shoal.exceptions import CorruptFileError, DataError, FileChangedError, SchemaError


def save(path, array):
    np.save(path, array)
    return path


def test_truncated_file(tmp_path):
    path = save(tmp_path / "a.npy", np.ones((100, 3)))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(CorruptFileError, match=r"truncated: 2,527 bytes.* announces 2,528"):
        open_dataset(path)
    path.write_bytes(whole[:20])
    with pytest.raises(CorruptFileError, match=r"a.npy, its header"):
        open_dataset(path)


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.ones(3), DataError, "Expected 2D array, got 1D array"),
        (np.ones((2, 2), dtype=complex), SchemaError, "complex128, not numbers"),
        (np.array([["a"]]), SchemaError, "not numbers"),
        (np.array([[None]], dtype=object), SchemaError, "not numbers"),
        (np.ones((0, 2)), DataError, "0 sample"),
    ],
)
def test_unusable_arrays(tmp_path, array, error, message):
    with pytest.raises(error, match=message):
        open_dataset(save(tmp_path / "a.npy", array))


def test_files_of_other_widths_or_types(tmp_path):
    save(tmp_path / "a.npy", np.ones((2, 2)))
    save(tmp_path / "b.npy", np.ones((2, 3)))
    with pytest.raises(SchemaError, match=r"Column 'x2' is float64 in .*b.npy, but absent"):
        NpySource(tmp_path)
    save(tmp_path / "b.npy", np.ones((2, 2), dtype=np.float32))
    with pytest.raises(SchemaError, match=r"Column 'x0' is float32 in .*b.npy"):
        NpySource(tmp_path)


def test_changed_file(tmp_path):
    path = save(tmp_path / "a.npy", np.ones((2, 2)))
    source = NpySource(path)
    save(path, np.zeros((3, 2)))
    with pytest.raises(FileChangedError, match=r"a.npy has changed"):
        list(source.read(source.cells()[0], [0], 9))


MEASURE = """
import resource, sys
from shoal.data.npy import NpySource
source = NpySource(sys.argv[1])
next(iter(source.read(source.cells()[0], range(16), 10)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for cell in source.cells():
    for rows in source.read(cell, range(16), 8192):
        pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_are_read_in_pieces(tmp_path, order):
    path = save(tmp_path / "a.npy", np.ones((1_000_000, 16), dtype=np.float32, order=order))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 8e6
