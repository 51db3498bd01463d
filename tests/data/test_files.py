"""Which files a name stands for, and whether they are still what they were."""

import os
import sys

import fsspec
import numpy as np
import pytest

from shoal import open_dataset
from shoal.data.files import File, check_apart, find_files
from shoal.exceptions import FileChangedError, FileError


def names(paths):
    return [file.below for file in find_files(paths, (".parquet",))]


@pytest.fixture
def folder(tmp_path):
    for name in ["part-10", "part-9", "part-1", "sub/part-2", "_skip/part-3", ".hidden", "_meta"]:
        path = tmp_path / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    (tmp_path / "readme.txt").write_text("?")
    return tmp_path


def test_folder_in_natural_order(folder):
    assert names(folder) == [
        "part-1.parquet",
        "part-9.parquet",
        "part-10.parquet",
        "sub/part-2.parquet",
    ]


def test_glob_list_and_url(folder, monkeypatch):
    nine, ten = folder / "part-9.parquet", folder / "part-10.parquet"
    assert names(f"{folder}/part-*.parquet") == names(folder)[:3]
    assert names([ten, str(nine)]) == ["part-10.parquet", "part-9.parquet"]
    assert names(f"file://{nine}") == ["part-9.parquet"]
    monkeypatch.chdir(folder)
    assert find_files("part-9.parquet", ())[0].name == str(nine)
    with pytest.raises(FileError, match=r"empty"):
        find_files([], ())


def test_pipes_hold_no_data(folder):
    os.mkfifo(folder / "part-11.parquet")
    assert len(names(folder)) == 4
    assert len(names(f"{folder}/part*")) == 3


def test_a_link_to_nothing_is_not_passed_over(folder):
    (folder / "part-11.parquet").symlink_to(folder / "gone")
    with pytest.raises(FileError, match=r"part-11\.parquet"):
        find_files(folder, (".parquet",))


def test_glob_of_folders(folder):
    for year in (2020, 2021):
        (folder / f"year={year}").mkdir()
        (folder / f"year={year}" / "x.parquet").write_text("x")
    assert names(f"{folder}/year=*") == ["year=2020/x.parquet", "year=2021/x.parquet"]
    found = find_files(f"{folder}/year=*", (".parquet",))
    assert [file.hive_values for file in found] == [{"year": "2020"}, {"year": "2021"}]
    with pytest.raises(FileError, match="No file matches"):
        find_files(f"{folder}/_sk*", (".csv",))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere://x.parquet", "Protocol not known: nowhere"),
        ("zip://x.parquet::none.zip", "No such file"),
    ],
)
def test_url_that_nothing_opens(name, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=f"Cannot look at {name}: .*{reason}"):
        find_files(name, (".parquet",))


def test_url_of_a_library_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.implementations.sftp", None)
    with pytest.raises(FileError, match=r"Cannot look at sftp://host/x.parquet: .*paramiko"):
        find_files("sftp://host/x.parquet", (".parquet",))


def test_url_of_another_file_system():
    for name in ("a-10", "a-9"):
        with fsspec.open(f"memory://files/{name}.parquet", "wb") as file:
            file.write(b"x")
    assert names("memory://files") == ["a-9.parquet", "a-10.parquet"]
    assert find_files("memory://files/*-9.parquet", ())[0].name == "memory:///files/a-9.parquet"


def change_size(path):
    path.write_text("longer than before")


def change_time(path):
    os.utime(path, ns=(1, 1))


def replace(path):
    other = path.with_suffix(".new")
    other.write_text("new")
    other.replace(path)


@pytest.mark.parametrize("change", [change_size, change_time, replace])
def test_changed_file(tmp_path, change):
    path = tmp_path / "a.bin"
    path.write_text("old")
    file = File.at(str(path))
    with file.opened() as handle:
        assert handle.read() == b"old"
    change(path)
    with pytest.raises(FileChangedError, match=r"has changed"), file.opened():
        pass


def test_file_changed_while_it_is_read(tmp_path):
    path = tmp_path / "a.bin"
    path.write_text("old")
    with pytest.raises(FileChangedError, match=r"has changed"), File.at(str(path)).opened():
        change_size(path)


def test_deleted_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_text("old")
    file = File.at(str(path))
    path.unlink()
    with pytest.raises(FileChangedError, match=r"is gone"), file.opened():
        pass


def test_changed_url():
    with fsspec.open("memory://changed/a.bin", "wb") as handle:
        handle.write(b"old")
    file = File.at("memory://changed/a.bin")
    with fsspec.open("memory://changed/a.bin", "wb") as handle:
        handle.write(b"new")
    with pytest.raises(FileChangedError, match=r"has changed"), file.opened():
        pass


def test_files_that_are_read_are_not_replaced(tmp_path, monkeypatch):
    read, other = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(read, np.ones((3, 2)))
    files = open_dataset(read).files
    check_apart(other, files)
    other.write_text("something")
    check_apart(other, files)
    (tmp_path / "link.npy").symlink_to(read)
    monkeypatch.chdir(tmp_path)
    for name in ("x.npy", read, "link.npy"):
        with pytest.raises(FileError, match="is a file that is read: write to another"):
            check_apart(name, files)


def test_data_in_memory_have_no_file_to_replace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "array").write_text("of the user")
    check_apart("array", open_dataset(np.ones((3, 2))).files)
