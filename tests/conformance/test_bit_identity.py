"""The first promise: the same bits on any engine, instruction set and budget, after any death."""

import os
import subprocess
import sys
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.faults import (
    KillSelf,
    KillWorker,
    leave_checkpoint,
)

import shoal
from shoal import LocalEngine
from shoal._kernels import available_instruction_sets
from shoal.cluster import KMeans, MiniBatchKMeans

N_FILES = 7


def rows(n_rows=300_000, n_features=5, dtype=np.float32, seed=0):
    """Overlapping blobs, about an offset: labels keep changing for many iterations."""
    generator = np.random.default_rng(seed)
    middles = generator.normal(0, 1.5, (9, n_features))
    X = middles[generator.integers(9, size=n_rows)] + generator.normal(0, 1, (n_rows, n_features))
    return np.ascontiguousarray(X + 3.0, dtype=dtype)


def write_files(folder, X, n_files):
    """`X` as Parquet files of one row group each, all of the same number of rows."""
    folder.mkdir()
    for number, part in enumerate(np.array_split(X, n_files)):
        table = pa.table({f"x{j}": part[:, j] for j in range(X.shape[1])})
        pq.write_table(table, folder / f"part-{number}.parquet")
    return folder


def model(**parameters):
    return KMeans(**{"n_clusters": 9, "random_state": 3, "max_iter": 60, "tol": 0} | parameters)


def fitted(estimator):
    """Every fitted attribute that does not name columns, as bytes."""
    names = ("cluster_centers_", "inertia_", "n_iter_", "loss_curve_")
    values = [np.asarray(getattr(estimator, name)) for name in names]
    return [(value.dtype.str, value.shape, value.tobytes()) for value in values]


def assert_same(one, other):
    assert fitted(one) == fitted(other)


@pytest.fixture(scope="module", name="X")
def all_rows():
    return rows()


@pytest.fixture(scope="module")
def reference(X):
    """Fitted by one thread, looking at every centre of every row."""
    with LocalEngine(n_threads=1):
        reference = model(algorithm="lloyd").fit(X)
    assert reference.n_iter_ > 10
    return reference


@pytest.fixture(scope="module")
def short_reference(X):
    """Of as many iterations as a cluster's passes are worth waiting for."""
    with LocalEngine(n_threads=1):
        return model(algorithm="lloyd", max_iter=12).fit(X)


@pytest.fixture(scope="module")
def folder(X, tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("identity") / "seven", X, N_FILES)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("algorithm", ["lloyd", "hamerly", "auto"])
def test_threads_and_algorithms(X, reference, n_threads, algorithm):
    with LocalEngine(n_threads=n_threads):
        found = model(algorithm=algorithm).fit(X)
    assert_same(found, reference)
    np.testing.assert_array_equal(found.labels_, reference.labels_)


# The smallest need a cache file; a large row group needs memory to be read.
@pytest.mark.parametrize(
    ("n_files", "memory"),
    [(1, "64MB"), (1, "1GB"), (N_FILES, "20MB"), (N_FILES, "64MB"), (N_FILES, "1GB")],
)
def test_files_and_memory_budgets(X, reference, tmp_path, memory, n_files):
    files = write_files(tmp_path / "files", X, n_files)
    with LocalEngine(n_threads=2, memory=memory):
        found = model().fit(files)
        np.testing.assert_array_equal(found.predict(files), reference.labels_)
    assert_same(found, reference)


def test_orders_of_memory(X, reference):
    assert_same(model().fit(np.asfortranarray(X)), reference)
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    assert_same(model().fit(wide), reference)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(12, 700),
    n_features=st.integers(1, 9),
    n_clusters=st.integers(1, 12),
    dtype=st.sampled_from([np.float32, np.float64]),
    init=st.sampled_from(["k-means++", "k-means||", "random"]),
    metric=st.sampled_from(["euclidean", "cosine"]),
    weighted=st.booleans(),
    n_threads=st.integers(1, 3),
    memory=st.sampled_from(["100kB", "250kB", "1GB"]),
    algorithm=st.sampled_from(["lloyd", "hamerly"]),
)
def test_any_problem(
    seed, n_rows, n_features, dtype, weighted, n_threads, memory, algorithm, **parameters
):
    X = rows(n_rows, n_features, dtype, seed)
    weight = np.random.default_rng(seed).uniform(0.1, 3, n_rows) if weighted else None
    parameters |= {"random_state": seed % 1000, "max_iter": 8, "n_init": 1}
    with LocalEngine(n_threads=1):
        reference = KMeans(algorithm="lloyd", **parameters).fit(X, sample_weight=weight)
    # A frame is converted, so that the budget decides over blocks.
    table = pa.table({f"x{j}": X[:, j] for j in range(n_features)})
    with LocalEngine(n_threads=n_threads, memory=memory):
        found = KMeans(algorithm=algorithm, **parameters).fit(table, sample_weight=weight)
    assert_same(found, reference)
    np.testing.assert_array_equal(found.labels_, reference.labels_)


@pytest.mark.parametrize("memory", ["20MB", "1GB"])
def test_mini_batches(X, folder, memory):
    def mini_batch_model():
        return MiniBatchKMeans(9, batch_size=256, max_iter=5, random_state=1)

    with LocalEngine(n_threads=1):
        reference = mini_batch_model().fit(X)
    with LocalEngine(n_threads=2, memory=memory):
        assert_same(mini_batch_model().fit(folder), reference)


FIT_IN_A_PROCESS = """
import sys
import numpy as np
from shoal.cluster import KMeans
model = KMeans(9, random_state=3, max_iter=60, tol=0).fit(np.load(sys.argv[1]))
np.savez(sys.argv[2], centers=model.cluster_centers_, labels=model.labels_,
         rest=[model.inertia_, model.n_iter_, *model.loss_curve_])
"""


@pytest.mark.parametrize("instruction_set", available_instruction_sets())
def test_instruction_sets(X, reference, tmp_path, instruction_set):
    np.save(tmp_path / "X.npy", X)
    subprocess.run(
        [sys.executable, "-c", FIT_IN_A_PROCESS, tmp_path / "X.npy", tmp_path / "model.npz"],
        env=os.environ | {"SHOAL_INSTRUCTION_SET": instruction_set},
        check=True,
    )
    with np.load(tmp_path / "model.npz") as found:
        assert found["centers"].tobytes() == reference.cluster_centers_.tobytes()
        np.testing.assert_array_equal(found["labels"], reference.labels_)
        rest = [reference.inertia_, reference.n_iter_, *reference.loss_curve_]
        assert found["rest"].tobytes() == np.asarray(rest).tobytes()


@pytest.mark.parametrize("n_iter", [1, 6])
def test_driver_killed_and_resumed(folder, reference, tmp_path, monkeypatch, n_iter):
    checkpoint = tmp_path / "fit.checkpoint"
    doomed = model().set_callbacks(KillSelf(n_iter))
    leave_checkpoint(partial(doomed.fit, folder), checkpoint, monkeypatch)
    resumed = model().fit(folder, checkpoint=checkpoint)
    assert_same(resumed, reference)


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_workers(X, folder, short_reference, clusters, n_workers):
    with shoal.DaskEngine(clusters(n_workers)):
        assert_same(model(max_iter=12).fit(folder), short_reference)
        found = model(max_iter=12).fit(X)
        assert_same(found, short_reference)
        np.testing.assert_array_equal(found.labels_, short_reference.labels_)
        np.testing.assert_array_equal(found.predict(folder), short_reference.labels_)


def test_worker_killed_in_mid_fit(folder, short_reference, clusters):
    cluster = clusters(3)
    process_id = cluster.workers[0].pid
    with shoal.DaskEngine(cluster):
        found = model(max_iter=12).set_callbacks(KillWorker(process_id, 4)).fit(folder)
    assert cluster.workers[0].pid != process_id
    assert_same(found, short_reference)
