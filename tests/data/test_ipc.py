"""Arrow IPC files."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather

from shoal import open_dataset
from shoal.data.ipc import IPCSource
from shoal.exceptions import (
    CorruptFileError,
    DataError,
    FileChangedError,
    FileError,
    SchemaError,
)


def write(path, **columns):
    feather.write_feather(pa.table(columns), path, chunksize=300)
    return path


def test_record_batches_are_cells(tmp_path):
    cells = IPCSource(write(tmp_path / "a.arrow", a=np.arange(1000.0))).cells()
    assert [cell.n_rows for cell in cells] == [300, 300, 300, 100]


@pytest.mark.parametrize("kept", [0, 8, 0.5, 0.99])
def test_truncated_file(tmp_path, kept):
    path = write(tmp_path / "a.feather", a=np.arange(1000.0))
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    with pytest.raises(CorruptFileError, match=r"a.feather, its footer"):
        open_dataset(path)


def test_an_arrow_stream_is_no_file(tmp_path):
    table = pa.table({"a": [1.0]})
    with pa.ipc.new_stream(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(FileError, match=r"a.arrow is an Arrow stream.*Write an IPC file"):
        open_dataset(tmp_path / "a.arrow")
    (tmp_path / "a.feather").write_bytes(b"FEA1 and more")
    with pytest.raises(FileError, match=r"a.feather is Feather version 1"):
        open_dataset(tmp_path / "a.feather")


def test_file_without_columns(tmp_path):
    with pytest.raises(DataError, match=r"Found array with 0 "):
        open_dataset(write(tmp_path / "a.arrow"))


def test_files_of_other_columns(tmp_path):
    write(tmp_path / "a.ipc", a=[1.0])
    write(tmp_path / "b.ipc", a=["x"])
    with pytest.raises(SchemaError, match=r"Column 'a' is object in .*b.ipc, but float64"):
        IPCSource(tmp_path)


def test_changed_file(tmp_path):
    path = write(tmp_path / "a.ipc", a=[1.0])
    source = IPCSource(path)
    path.unlink()
    with pytest.raises(FileChangedError, match=r"a.ipc is gone"):
        list(source.read(source.cells()[0], [0], 9))
