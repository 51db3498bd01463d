"""Dask collections are computed where they are read."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from distributed.protocol.pickle import dumps, loads

from shoal import open_dataset
from shoal.data.dask_collections import DaskSource
from shoal.exceptions import DataError, EngineError, MemoryBudgetError

X = np.random.default_rng(0).normal(size=(20, 4))


def rows(source):
    columns = range(len(source.columns))
    return [
        np.column_stack(piece) if isinstance(piece, list) else piece
        for cell in source.cells()
        for piece in source.read(cell, columns, 3)
    ]


def test_a_part_computes_its_own_tasks_alone():
    computed = []

    def note(block):
        computed.append(len(block))
        return block

    array = da.from_array(X, chunks=(5, 2)).rechunk((5, 4)).map_blocks(note, meta=X[:0])
    source = DaskSource(array)
    assert computed == []
    list(source.read(source.cells()[2], [0], 9))
    assert computed == [5]


def test_a_row_block_is_read_whole():
    source = DaskSource(da.from_array(X, chunks=(8, 4)))
    assert source.reader_bytes([0]) == 8 * 4 * X.itemsize
    with pytest.raises(MemoryBudgetError, match="blocks and a reader take 80 MB"):
        open_dataset(da.ones((10**6, 10), chunks=(10**6, 10))).plan("100MB")


def test_names_and_types_come_from_the_frame():
    frame = pd.DataFrame({"a": np.float32([1, 2, 3]), "word": ["x", "y", None]})
    dataset = open_dataset(dd.from_pandas(frame, npartitions=2), target="word", missing="drop")
    assert dataset.feature_names == ("a",)
    assert dataset.dtype == np.float32
    targets = [block.target.tolist() for c in dataset.cells for block in dataset.read(c, 9)]
    assert targets == [["x", "y"], []] or targets == [["x", "y"]]


@pytest.mark.parametrize(
    ("collection", "message"),
    [
        (da.ones(9), "Expected 2D array, got 1D array"),
        (db.from_sequence([1]), "Expected a Dask Array or DataFrame, got Bag"),
        (dask.delayed(1), "Expected a Dask Array or DataFrame, got Delayed"),
        (da.ones((0, 3)), "0 sample"),
        (dd.from_pandas(pd.Series([1.0]), npartitions=1), "Array or DataFrame, got Series"),
        (da.from_delayed(dask.delayed(X), (len(X), np.nan), float), "number of columns"),
    ],
)
def test_unusable_collections(collection, message):
    with pytest.raises(DataError, match=message):
        open_dataset(collection)


def text_in_place_of_numbers(frame):
    return frame.assign(a="word")


LYING = {
    "fewer rows": (lambda: da.from_delayed(dask.delayed(X), (len(X) - 1, X.shape[1]), float)),
    "more rows": (lambda: da.from_delayed(dask.delayed(X), (len(X) + 1, X.shape[1]), float)),
    "more columns": (lambda: da.from_delayed(dask.delayed(X), (len(X), X.shape[1] + 1), float)),
    "numbers": lambda: dd.from_pandas(pd.DataFrame({"a": [1.0]}), npartitions=1).map_partitions(
        text_in_place_of_numbers, meta={"a": float}
    ),
}


@pytest.mark.parametrize("name", LYING)
def test_row_blocks_are_what_the_collection_announces(name):
    dataset = open_dataset(LYING[name]())
    with pytest.raises(DataError, match=r"A Dask collection announces .*Mend its"):
        next(dataset.read(dataset.cells[0], 100))


def test_persisted_rows_without_a_client():
    with small_cluster():
        sent = dumps(DaskSource(da.from_array(X, chunks=6).persist()))
    source = loads(sent)
    with pytest.raises(EngineError, match="no Dask client"):
        rows(source)


def read_in_task(sent):
    return rows(loads(sent))


def read_in_thread(sent):
    """As an engine reads: on a thread that is no task's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(read_in_task, sent).result()


@contextmanager
def small_cluster():
    config = {"distributed.worker.http.routes": [], "distributed.scheduler.http.routes": []}
    with (
        dask.config.set(config),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_persisted_collections_travel_to_workers():
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abcd")), npartitions=3)
    with small_cluster() as client:
        array = da.from_array(X, chunks=(6, 2)).persist()
        for collection in (array, array + 0, frame.persist(), frame[frame.a > -9]):
            source = DaskSource(collection)
            np.testing.assert_array_equal(np.vstack(rows(source)), X)
            sent = dumps(source)
            for read in (read_in_task, read_in_thread):
                found = client.submit(read, sent, pure=False)
                np.testing.assert_array_equal(np.vstack(found.result()), X)
