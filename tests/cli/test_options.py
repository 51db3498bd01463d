"""What is made of options."""

import pytest
import typer

import shoal
from shoal.cli.options import engine, names, paths
from shoal.engines import cluster
from shoal.exceptions import ClusterUnreachableError


def test_local_engine():
    found = engine("local", "1GB", 3)
    assert isinstance(found, shoal.LocalEngine)
    assert (found.memory_bytes, found.n_threads) == (10**9, 3)


def test_an_address_is_a_cluster(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_SECONDS", 0.5)
    with pytest.raises(ClusterUnreachableError, match=r"127\.0\.0\.1:9"):
        engine("tcp://127.0.0.1:9", None, None)


def test_unknown_engine():
    with pytest.raises(typer.BadParameter, match="'spark' is neither local nor dask"):
        engine("spark", None, None)


def test_threads_of_a_cluster():
    with pytest.raises(typer.BadParameter, match="local engine alone"):
        engine("dask", None, 2)


def test_names_and_paths():
    assert names(None) is None
    assert names("a, b") == ["a", "b"]
    assert paths(["folder"]) == "folder"
    assert paths(["1.parquet", "2.parquet"]) == ["1.parquet", "2.parquet"]
