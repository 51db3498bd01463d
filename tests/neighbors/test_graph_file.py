"""Graphs of neighbours as Parquet files: every edge once, in order, whole or not at all."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.full_disk import no_room
from tests.neighbors.rows import blobs, parquet, ties

from shoal import LocalEngine, open_dataset
from shoal.exceptions import DiskFullError, FileError, ParameterError
from shoal.neighbors import KNeighborsClassifier, NearestNeighbors
from shoal.neighbors.database import Database
from shoal.neighbors.graph_file import write_graph
from shoal.statistics.rows_within import Pairs

INT, FLOAT = pa.int64(), pa.float64()


def pairs(*queries):
    queries = np.array(queries, dtype=np.int64)
    return Pairs(queries, queries + 10, queries / 2)


def test_columns(tmp_path):
    path = write_graph(tmp_path / "n.parquet", [pairs(0, 0, 1), pairs(), pairs(3)], True)
    found = pq.read_table(path)
    assert found.schema.names == ["query", "neighbor", "distance"]
    assert [field.type for field in found.schema] == [INT, INT, FLOAT]
    assert not any(field.nullable for field in found.schema)
    assert found["query"].to_pylist() == [0, 0, 1, 3]
    assert found["neighbor"].to_pylist() == [10, 10, 11, 13]
    assert found["distance"].to_pylist() == [0.0, 0.0, 0.5, 1.5]


def test_distances_are_left_out_where_nobody_wants_them(tmp_path):
    path = write_graph(tmp_path / "n.parquet", [pairs(0, 1)], False)
    assert pq.read_table(path).schema.names == ["query", "neighbor"]


@pytest.mark.parametrize("own", [True, False])
@settings(max_examples=10)
@given(
    k=st.integers(1, 12),
    batch_bytes=st.sampled_from([1, 40_000, 1 << 25]),
    algorithm=st.sampled_from(["brute", "kd_tree", "partition"]),
    make=st.sampled_from([blobs, ties]),
)
def test_a_file_holds_what_memory_would(
    tmp_path_factory, monkeypatch_module, own, k, batch_bytes, algorithm, make
):
    monkeypatch_module.setattr("shoal.neighbors.database._BATCH_BYTES", batch_bytes)
    queries = None if own else make(150, seed=1)
    model = NearestNeighbors(n_neighbors=k, algorithm=algorithm).fit(make(200))
    path = model.kneighbors(queries, out=tmp_path_factory.mktemp("graph") / "n.parquet")
    found = pd.read_parquet(path)
    distances, rows = model.kneighbors(queries)
    np.testing.assert_array_equal(found["query"], np.repeat(np.arange(len(rows)), k))
    np.testing.assert_array_equal(found["neighbor"], rows.ravel())
    np.testing.assert_array_equal(found["distance"], distances.ravel())


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.parametrize("sort_results", [True, False])
def test_all_rows_within_a_radius(tmp_path, sort_results):
    X, queries = ties(120), ties(40, seed=1)
    model = NearestNeighbors(radius=1.0).fit(X)
    options = {"sort_results": sort_results}
    path = model.radius_neighbors(queries, out=tmp_path / "n.parquet", **options)
    found = pd.read_parquet(path)
    graph = model.radius_neighbors_graph(queries, mode="distance", **options)
    np.testing.assert_array_equal(found["query"], np.repeat(np.arange(40), np.diff(graph.indptr)))
    np.testing.assert_array_equal(found["neighbor"], graph.indices)
    np.testing.assert_array_equal(found["distance"], graph.data)
    order = ["query", "distance", "neighbor"] if sort_results else ["query", "neighbor"]
    assert found.equals(found.sort_values(order, ignore_index=True))
    assert found["distance"].nunique() == 2


def test_dropped_queries_have_no_rows(tmp_path):
    X = blobs(50)
    X[[0, 30]] = np.nan
    dataset = open_dataset(X, missing="drop")
    model = NearestNeighbors(n_neighbors=3).fit(dataset)
    kept = np.setdiff1d(np.arange(50), [0, 30])
    for queries in (None, dataset):
        found = pd.read_parquet(model.kneighbors(queries, out=tmp_path / "n.parquet"))
        np.testing.assert_array_equal(found["query"], np.repeat(kept, 3))
        assert not np.isin(found["neighbor"], [0, 30]).any()
    found = pd.read_parquet(model.radius_neighbors(dataset, 0.0, out=tmp_path / "n.parquet"))
    np.testing.assert_array_equal(found[["query", "neighbor"]], np.stack([kept, kept], axis=1))


def test_classifiers_write_their_graph_too(tmp_path):
    X = blobs(60)
    model = KNeighborsClassifier(4).fit(X, np.arange(60) % 3)
    path = model.kneighbors(return_distance=False, out=str(tmp_path / "n.parquet"))
    found = pd.read_parquet(path)
    assert list(found) == ["query", "neighbor"]
    np.testing.assert_array_equal(
        found["neighbor"], model.kneighbors(return_distance=False).ravel()
    )


def test_threads_and_budgets_write_the_same_rows(tmp_path):
    rows = parquet(blobs(400, dtype=np.float32), tmp_path / "x.parquet")
    written = []
    for engine in (LocalEngine(1), LocalEngine(2, memory="20MB")):
        with engine:
            model = NearestNeighbors(algorithm="brute").fit(rows)
            written.append(pq.read_table(model.kneighbors(out=tmp_path / "n.parquet")))
    assert written[0].equals(written[1])


def test_an_error_midway_leaves_what_was_there(tmp_path, monkeypatch):
    monkeypatch.setattr("shoal.neighbors.database._BATCH_BYTES", 1)
    path = tmp_path / "n.parquet"
    path.write_bytes(b"before")
    model = NearestNeighbors(algorithm="brute").fit(blobs(200))
    asked, nearest = [], Database.nearest

    def failing(*arguments):
        asked.append(arguments)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return nearest(*arguments)

    monkeypatch.setattr(Database, "nearest", failing)
    with pytest.raises(KeyboardInterrupt):
        model.kneighbors(out=path)
    assert len(asked) == 3
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    model = NearestNeighbors().fit(blobs(3000))
    with pytest.raises(FileError, match=r"cannot write .*n\.parquet"):
        model.kneighbors(out=tmp_path / "missing" / "n.parquet")
    with pytest.raises(DiskFullError, match=r"n\.parquet.*free some room"), no_room():
        model.kneighbors(out=tmp_path / "n.parquet")
    with pytest.raises(ParameterError, match="Expected n_neighbors > 0"):
        model.kneighbors(n_neighbors=0, out=tmp_path / "n.parquet")
    assert list(tmp_path.iterdir()) == []
