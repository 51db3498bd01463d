"""The first promise, for neighbours: the same bits on any engine, budget, file and index."""

import os
import signal
import subprocess
import sys
import time
from threading import Thread

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from tests.conformance.test_bit_identity import rows, write_files

import shoal
from shoal import LocalEngine
from shoal._kernels import available_instruction_sets
from shoal.neighbors import KNeighborsClassifier, NearestNeighbors, choice
from shoal.neighbors.grouped_blocks import GroupedBlocks
from shoal.testing.bits import bits

RADIUS = 0.4


def found(X, queries, **parameters):
    """What there is to find, as bits."""
    model = NearestNeighbors(n_neighbors=7, **parameters).fit(X)
    return bits([model.kneighbors(queries), *model.radius_neighbors(queries, RADIUS)])


@pytest.fixture(scope="module", name="X")
def all_rows():
    return rows(60_000)


@pytest.fixture(scope="module", name="queries")
def some_rows():
    return rows(300, seed=1)


@pytest.fixture(scope="module")
def reference(X, queries):
    """Found by one thread that looks at every row."""
    with LocalEngine(n_threads=1):
        return found(X, queries, algorithm="brute")


@pytest.fixture(scope="module")
def folder(X, tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("neighbours") / "five", X, 5)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "partition", "auto"])
def test_threads_and_indexes(X, queries, reference, algorithm, n_threads):
    with LocalEngine(n_threads=n_threads):
        assert found(X, queries, algorithm=algorithm) == reference


@pytest.mark.parametrize("memory", ["20MB", "1GB"])
def test_files_and_memory_budgets(folder, queries, reference, tmp_path, memory):
    asked = write_files(tmp_path / "queries", queries, 3)
    with LocalEngine(n_threads=2, memory=memory):
        assert found(folder, asked) == reference


def test_orders_of_memory(X, queries, reference):
    assert found(np.asfortranarray(X), np.asfortranarray(queries)) == reference
    assert found(np.repeat(X, 2, axis=1)[:, ::2], queries[::-1].copy()[::-1]) == reference
    assert found(sparse.csr_array(X), sparse.csr_array(queries)) == reference
    assert found(X.astype(np.float64), queries) == reference


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(12, 700),
    n_features=st.integers(1, 9),
    dtype=st.sampled_from([np.float32, np.float64]),
    metric=st.sampled_from(["euclidean", "cosine", "inner_product", "manhattan"]),
    n_threads=st.integers(1, 3),
    memory=st.sampled_from(["100kB", "250kB", "1GB"]),
    algorithm=st.sampled_from(["auto", "kd_tree", "partition"]),
    n_probe=st.sampled_from([None, 1, 3]),
    is_coarse=st.booleans(),
)
def test_any_problem(
    seed, n_rows, n_features, dtype, metric, n_threads, memory, algorithm, n_probe, is_coarse
):
    X, queries = rows(n_rows, n_features, dtype, seed), rows(20, n_features, dtype, seed + 1)
    if is_coarse:
        X, queries = np.round(X) + dtype(0.5), np.round(queries) + dtype(0.5)
    if metric not in {"euclidean", "cosine"}:
        algorithm = "brute"
    parameters = {"metric": metric, "algorithm": algorithm}
    if algorithm == "partition":
        parameters["n_probe"] = n_probe
    with LocalEngine(n_threads=1):
        exactly = {} if parameters.get("n_probe") else {"algorithm": "brute", "n_probe": None}
        reference = found(X, queries, **parameters | exactly)
    # A frame is converted, so that the budget decides over blocks.
    table = pa.table({f"x{j}": X[:, j] for j in range(n_features)})
    asked = pa.table({f"x{j}": queries[:, j] for j in range(n_features)})
    with LocalEngine(n_threads=n_threads, memory=memory):
        assert found(table, asked, **parameters) == reference


METRICS = {
    "mahalanobis": {"VI": np.eye(5) + 0.1},
    "minkowski": {"w": np.arange(5.0), "p": 3},
    "correlation": {},
    "jaccard": {},
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("metric", METRICS)
def test_metrics_by_scipy_on_both_engines(X, queries, tmp_path, clusters, metric):
    X, queries = np.maximum(X[:2_100] - 3, 0), np.maximum(queries[:40] - 3, 0)
    files = write_files(tmp_path / "few", X, 3)
    parameters = {"metric": metric, "metric_params": METRICS[metric]}
    with LocalEngine(n_threads=1):
        expected = found(X, queries, **parameters)
    with LocalEngine(n_threads=3, memory="20MB"):
        assert found(files, queries, **parameters) == expected
    with shoal.DaskEngine(clusters(2)):
        assert found(files, queries, **parameters) == expected


PREDICT_IN_A_PROCESS = """
import sys
import numpy as np
from shoal.neighbors import KNeighborsClassifier
X, queries = np.load(sys.argv[1]), np.load(sys.argv[2])
found = []
for parameters in ({}, {"algorithm": "partition"}, {"algorithm": "partition", "n_probe": 2}):
    model = KNeighborsClassifier(9, weights="distance", **parameters)
    found.append(model.fit(X, (X[:, 0] > 3).astype(int)).predict_proba(queries))
np.save(sys.argv[3], found)
"""


@pytest.mark.parametrize("instruction_set", available_instruction_sets())
def test_instruction_sets(X, queries, tmp_path, instruction_set):
    X = X[:5000]
    names = [tmp_path / name for name in ("X.npy", "queries.npy", "shares.npy")]
    np.save(names[0], X)
    np.save(names[1], queries)
    subprocess.run(
        [sys.executable, "-c", PREDICT_IN_A_PROCESS, *names],
        env=os.environ | {"SHOAL_INSTRUCTION_SET": instruction_set},
        check=True,
    )
    exact, grouped, probed = np.load(names[2])
    y = (X[:, 0] > 3).astype(int)
    model = KNeighborsClassifier(9, weights="distance").fit(X, y)
    assert exact.tobytes() == grouped.tobytes() == model.predict_proba(queries).tobytes()
    model.set_params(algorithm="partition", n_probe=2).fit(X, y)
    assert probed.tobytes() == model.predict_proba(queries).tobytes() != exact.tobytes()


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("memory", ["3MB", "1GB"])
def test_groups_on_disk_and_in_memory(folder, queries, reference, memory):
    with LocalEngine(n_threads=2, memory=memory):
        model = NearestNeighbors(n_neighbors=7, algorithm="partition").fit(folder)
        assert model.index_.members[0].is_on_disk == (memory == "3MB")
        again = model.kneighbors(queries), model.radius_neighbors(queries, RADIUS)
    assert bits([again[0], *again[1]]) == reference


def shares(X, y, queries):
    return bits(KNeighborsClassifier(5, weights="distance").fit(X, y).predict_proba(queries))


@pytest.fixture(scope="module")
def classes(X):
    return (X[:, 0] > 3).astype(int)


@pytest.fixture(scope="module")
def expected_shares(X, classes, queries):
    with LocalEngine(n_threads=1):
        return shares(X, classes, queries)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_workers(X, classes, folder, queries, reference, expected_shares, clusters, n_workers):
    with shoal.DaskEngine(clusters(n_workers)):
        assert found(folder, queries) == reference
        assert found(X, queries, algorithm="brute") == reference
        assert shares(folder, classes, queries) == expected_shares


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_worker_killed_in_mid_query(classes, folder, queries, expected_shares, clusters):
    cluster = clusters(3)
    many = np.repeat(queries, 20, axis=0)
    with shoal.DaskEngine(cluster):
        model = KNeighborsClassifier(5, weights="distance").fit(folder, classes)
        before = bits(model.predict_proba(queries))
        process_id = cluster.workers[0].pid
        killing = Thread(target=kill_soon, args=[process_id])
        killing.start()
        found = model.predict_proba(many)
        assert not killing.is_alive()
    assert cluster.workers[0].pid != process_id
    assert before == bits(found[::20].copy()) == expected_shares


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_groups_on_workers(X, folder, queries, reference, probed, clusters, n_workers):
    with shoal.DaskEngine(clusters(n_workers)):
        for source in (folder, X):
            model = NearestNeighbors(n_neighbors=7, algorithm="partition").fit(source)
            assert isinstance(model.index_, GroupedBlocks)
            again = model.kneighbors(queries), *model.radius_neighbors(queries, RADIUS)
            assert bits([*again]) == reference
        assert found(folder, queries, algorithm="partition", n_probe=3) == probed


@pytest.fixture(scope="module", name="probed")
def found_in_three_groups(X, queries):
    with LocalEngine(n_threads=1):
        return found(X, queries, algorithm="partition", n_probe=3)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("algorithm", ["auto", "partition"])
def test_classes_by_groups_on_workers(
    classes, folder, queries, expected_shares, clusters, algorithm, monkeypatch
):
    monkeypatch.setattr(choice, "_SHARE_VISITED", 1)
    with shoal.DaskEngine(clusters(2)):
        model = KNeighborsClassifier(5, weights="distance", algorithm=algorithm)
        assert bits(model.fit(folder, classes).predict_proba(queries)) == expected_shares
        assert model.algorithm_ == "partition"


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_rows_added_to_and_forgotten_by_groups_on_workers(X, folder, queries, clusters):
    gone = np.arange(5, 40_000, 3)
    left = np.concatenate([np.delete(X, gone, axis=0), queries])
    with LocalEngine(n_threads=2):
        expected = found(left, queries, algorithm="brute")
    with shoal.DaskEngine(clusters(2)):
        model = NearestNeighbors(n_neighbors=7, algorithm="partition").fit(folder)
        model.forget(gone).partial_fit(queries)
        again = model.kneighbors(queries), *model.radius_neighbors(queries, RADIUS)
        assert bits([*again]) == expected


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("n_probe", [None, 3])
def test_worker_killed_between_and_during_queries_of_groups(
    folder, queries, reference, probed, clusters, n_probe
):
    cluster = clusters(3)
    expected = reference if n_probe is None else probed
    with shoal.DaskEngine(cluster):
        model = NearestNeighbors(n_neighbors=7, algorithm="partition", n_probe=n_probe).fit(folder)

        def answer(queries):
            return bits([model.kneighbors(queries), *model.radius_neighbors(queries, RADIUS)])

        assert answer(queries) == expected
        os.kill(cluster.workers[1].pid, signal.SIGKILL)
        assert answer(queries) == expected
        process_id = cluster.workers[2].pid
        killing = Thread(target=kill_soon, args=[process_id])
        killing.start()
        many, _ = model.kneighbors(np.repeat(queries, 100, axis=0))
        assert not killing.is_alive()
        assert cluster.workers[2].pid != process_id
        assert many[::100].tobytes() == model.kneighbors(queries)[0].tobytes()
        assert answer(queries) == expected


def kill_soon(process_id):
    time.sleep(0.05)
    os.kill(process_id, signal.SIGKILL)
