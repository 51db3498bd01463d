"""The first promise, for neighbours: the same bits on any engine, budget, file and index."""

import os
import subprocess
import sys

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
from shoal.neighbors import KNeighborsClassifier, NearestNeighbors
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
    is_coarse=st.booleans(),
)
def test_any_problem(
    seed, n_rows, n_features, dtype, metric, n_threads, memory, algorithm, is_coarse
):
    X, queries = rows(n_rows, n_features, dtype, seed), rows(20, n_features, dtype, seed + 1)
    if is_coarse:
        X, queries = np.round(X) + dtype(0.5), np.round(queries) + dtype(0.5)
    if metric not in {"euclidean", "cosine"}:
        algorithm = "brute"
    with LocalEngine(n_threads=1):
        reference = found(X, queries, metric=metric, algorithm="brute")
    # A frame is converted, so that the budget decides over blocks.
    table = pa.table({f"x{j}": X[:, j] for j in range(n_features)})
    asked = pa.table({f"x{j}": queries[:, j] for j in range(n_features)})
    with LocalEngine(n_threads=n_threads, memory=memory):
        assert found(table, asked, metric=metric, algorithm=algorithm) == reference


PREDICT_IN_A_PROCESS = """
import sys
import numpy as np
from shoal.neighbors import KNeighborsClassifier
X, queries = np.load(sys.argv[1]), np.load(sys.argv[2])
model = KNeighborsClassifier(9, weights="distance").fit(X, (X[:, 0] > 3).astype(int))
np.save(sys.argv[3], model.predict_proba(queries))
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
    model = KNeighborsClassifier(9, weights="distance").fit(X, (X[:, 0] > 3).astype(int))
    assert np.load(names[2]).tobytes() == model.predict_proba(queries).tobytes()


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_workers(X, folder, queries, reference):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        shoal.DaskEngine(cluster),
    ):
        assert found(folder, queries) == reference
        assert found(X, queries, algorithm="brute") == reference
        model = KNeighborsClassifier(5).fit(folder, (X[:, 0] > 3).astype(int))
        shares = bits(model.predict_proba(queries))
    with LocalEngine(n_threads=1):
        local = KNeighborsClassifier(5, algorithm="brute").fit(X, (X[:, 0] > 3).astype(int))
        assert bits(local.predict_proba(queries)) == shares
