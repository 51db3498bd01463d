"""CSV files: types, bad values, the private decoded copy."""

import gc
import pickle

import numpy as np
import pytest
from tests.full_disk import no_room

from shoal.data.csv import CSVSource
from shoal.exceptions import (
    ColumnError,
    DataError,
    DiskFullError,
    FileChangedError,
    ParameterError,
    SchemaError,
)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SHOAL_CACHE_DIR", str(folder))
    return folder


def write(path, text):
    path.write_text(text)
    return path


def types(source):
    return {column.name: column.dtype.str.lstrip("<|") for column in source.columns}


def values(source):
    columns = range(len(source.columns))
    pieces = [next(source.read(cell, columns, 9)) for cell in source.cells()]
    return [[column.tolist() for column in piece] for piece in pieces]


def test_types_are_inferred_or_declared(tmp_path):
    path = write(tmp_path / "a.csv", "n,x,word,empty\n1,1.5,a,\n2,,b,\n")
    assert types(CSVSource(path)) == {"n": "i8", "x": "f8", "word": "O", "empty": "f8"}
    declared = CSVSource(path, {"n": "float32", "x": float, "empty": str})
    assert types(declared) == {"n": "f4", "x": "f8", "word": "O", "empty": "O"}
    with pytest.raises(ColumnError, match=r"no column 'm'"):
        CSVSource(path, {"m": float})


def test_delimiter_and_header(tmp_path):
    tabs = write(tmp_path / "a.tsv", "a\tb\n1\t2\n")
    assert values(CSVSource(tabs)) == [[[1], [2]]]
    bare = write(tmp_path / "b.csv", "1;2\n3;4\n")
    source = CSVSource(bare, delimiter=";", has_header=False)
    assert types(source) == {"f0": "i8", "f1": "i8"}
    assert values(source) == [[[1, 3], [2, 4]]]


@pytest.mark.parametrize("has_header", [True, False])
def test_value_that_does_not_parse(tmp_path, has_header):
    header = "a,b\n" if has_header else ""
    path = write(tmp_path / "a.csv", header + "1,2\n" * 400_000 + "1,x\n")
    name = "b" if has_header else "f1"
    with pytest.raises(DataError, match=rf"a.csv, column '{name}', row 400000 .*invalid value 'x'"):
        CSVSource(path, has_header=has_header).cells()


def test_declared_type_that_does_not_parse(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,2\n1.5,2\n")
    with pytest.raises(DataError, match=r"a.csv, column 'a', row 1 .*invalid value '1.5'"):
        CSVSource(path, {"a": int})


@pytest.mark.parametrize("delimiter", ["", ";;", "§", 3])
def test_what_is_no_delimiter(tmp_path, delimiter):
    with pytest.raises(ParameterError, match="give one ASCII character"):
        CSVSource(write(tmp_path / "a.csv", "a,b\n1,2\n"), delimiter=delimiter)


@pytest.mark.parametrize("schema", [["a"], {"a": "zz"}, {"a": complex}])
def test_what_is_no_schema(tmp_path, schema):
    with pytest.raises(ParameterError, match="schema"):
        CSVSource(write(tmp_path / "a.csv", "a,b\n1,2\n"), schema)


def test_a_type_that_cannot_be_parsed(tmp_path):
    with pytest.raises(DataError, match="conversion to halffloat is not supported"):
        CSVSource(write(tmp_path / "a.csv", "a,b\n1,2\n"), {"a": np.float16})


def test_names_in_another_encoding(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("größe,b\n1,2\n".encode("latin1"))
    with pytest.raises(DataError, match=r"a.csv, the names of its columns.*in UTF-8"):
        CSVSource(path)


def test_columns_of_the_same_name_in_a_later_file(tmp_path):
    write(tmp_path / "a.csv", "a,b\n1,2\n")
    write(tmp_path / "b.csv", "a,b,b\n1,2,3\n")
    with pytest.raises(SchemaError, match=r"same name: 'b' in .*b.csv"):
        CSVSource(tmp_path)


def test_line_of_another_length(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,2\n1\n")
    with pytest.raises(DataError, match=r"a.csv, row 1 .*Expected 2 columns, got 1"):
        CSVSource(path)


def test_empty_file(tmp_path):
    with pytest.raises(DataError, match=r"Empty CSV file"):
        CSVSource(write(tmp_path / "a.csv", ""))


def test_files_of_other_columns(tmp_path):
    write(tmp_path / "a.csv", "a,b\n1,2\n")
    write(tmp_path / "b.csv", "a,c\n1,2\n")
    with pytest.raises(SchemaError, match=r"Column 'b' is absent in .*b.csv"):
        CSVSource(tmp_path)


def test_changed_file(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,2\n")
    source = CSVSource(path)
    values(source)
    write(path, "a,b\n1,2\n3,4\n")
    with pytest.raises(FileChangedError, match=r"a.csv has changed"):
        values(source)


def test_a_full_disk_is_told_from_a_damaged_file(tmp_path, cache):
    path = write(tmp_path / "a.csv", "a,b\n" + "1,2.5\n" * 1000)
    source = CSVSource(path)
    with (
        pytest.raises(DiskFullError, match=r"No room for the decoded rows.*SHOAL_CACHE_DIR"),
        no_room(),
    ):
        source.cells()
    assert sum(cell.n_rows for cell in source.cells()) == 1000


def test_decoded_copy_is_private_and_goes_with_the_source(tmp_path, cache):
    source = CSVSource(write(tmp_path / "a.csv", "a,b\n1,2\n"))
    assert values(source) == [[[1], [2]]]
    (copy,) = cache.rglob("*.arrow")
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    other = pickle.loads(pickle.dumps(source))
    assert values(other) == [[[1], [2]]]
    assert len(list(cache.rglob("*.arrow"))) == 2
    del source, other
    gc.collect()
    assert not list(cache.rglob("*.arrow"))
