"""The first promise for linear models: the same bits on any engine, budget and machine."""

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
from shoal.linear_model import Lasso, LinearRegression, LogisticRegression, PoissonRegressor

N_FILES = 5
LABELS = np.array(["early", "late", "on time"])


def rows(n_rows=150_000, n_features=6, dtype=np.float32, seed=0):
    """Correlated columns about an offset."""
    generator = np.random.default_rng(seed)
    mix = generator.normal(size=(n_features, n_features))
    X = generator.normal(size=(n_rows, n_features)) @ mix + 3.0
    return np.ascontiguousarray(X, dtype=dtype)


def labels(X, n_classes=3, seed=1):
    generator = np.random.default_rng(seed)
    raw = X @ generator.normal(size=(X.shape[1], n_classes)) / 4
    return LABELS[(raw + generator.gumbel(size=raw.shape)).argmax(axis=1)]


def counts(X, seed=1):
    generator = np.random.default_rng(seed)
    return generator.poisson(np.exp(np.tanh(X @ generator.normal(size=X.shape[1]) / 8)))


def write_files(folder, X, y, n_files):
    """Parquet files of one row group each."""
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(len(X)), n_files)):
        columns = {f"x{j}": X[part, j] for j in range(X.shape[1])}
        pq.write_table(pa.table(columns | {"y": y[part]}), folder / f"part-{number}.parquet")
    return folder


def model(**parameters):
    return LogisticRegression(**{"tol": 1e-7, "class_weight": "balanced"} | parameters)


def fitted(estimator):
    """Every fitted attribute that does not name columns, as bytes."""
    names = ("coef_", "intercept_", "n_iter_", "loss_curve_")
    values = [np.asarray(getattr(estimator, name)) for name in names]
    return [(value.dtype.str, value.shape, value.tobytes()) for value in values]


def assert_same(one, other):
    assert fitted(one) == fitted(other)


@pytest.fixture(scope="module", name="X")
def all_rows():
    return rows()


@pytest.fixture(scope="module", name="y")
def all_labels(X):
    return labels(X)


@pytest.fixture(scope="module")
def reference(X, y):
    with LocalEngine(n_threads=1):
        reference = model().fit(X, y)
    assert reference.n_iter_ > 8
    return reference


@pytest.fixture(scope="module")
def folder(X, y, tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("identity") / "five", X, y, N_FILES)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_threads(X, y, reference, n_threads):
    with LocalEngine(n_threads=n_threads):
        assert_same(model().fit(X, y), reference)


@pytest.mark.parametrize(("n_files", "memory"), [(1, "1GB"), (N_FILES, "25MB"), (N_FILES, "1GB")])
def test_files_and_memory_budgets(X, y, reference, tmp_path, memory, n_files):
    files = write_files(tmp_path / "files", X, y, n_files)
    with LocalEngine(n_threads=2, memory=memory):
        found = model().fit(files, "y")
        np.testing.assert_array_equal(found.predict_proba(files), reference.predict_proba(X))
    assert_same(found, reference)


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(solver="newton"), LinearRegression(), Lasso(alpha=0.01)]
)
def test_files_cut_at_multiples_of_64_rows(X, y, tmp_path, estimator):
    """Products are summed in groups of 64 rows that lie on the grid of their file."""
    n_rows = 64 * N_FILES * 100
    X, y = X[:n_rows], np.unique(y[:n_rows], return_inverse=True)[1]
    expected = fitted(estimator.fit(X, y))
    with LocalEngine(n_threads=2, memory="25MB"):
        assert (
            fitted(estimator.fit(write_files(tmp_path / "files", X, y, N_FILES), "y")) == expected
        )


def test_orders_of_memory(X, y, reference):
    assert_same(model().fit(np.asfortranarray(X), y), reference)
    assert_same(model().fit(np.repeat(X, 2, axis=1)[:, ::2], y), reference)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(20, 700),
    n_features=st.integers(1, 9),
    dtype=st.sampled_from([np.float32, np.float64]),
    estimator=st.sampled_from(
        [
            LogisticRegression(max_iter=6),
            LogisticRegression(solver="newton", max_iter=3),
            LogisticRegression(l1_ratio=0.5, max_iter=8),
            PoissonRegressor(max_iter=5),
            LinearRegression(),
            Lasso(alpha=0.1),
        ]
    ),
    weighted=st.booleans(),
    n_threads=st.integers(1, 3),
    memory=st.sampled_from(["100kB", "250kB", "1GB"]),
)
def test_any_problem(seed, n_rows, n_features, dtype, estimator, weighted, n_threads, memory):
    X = rows(n_rows, n_features, dtype, seed)
    is_classifier = isinstance(estimator, LogisticRegression)
    y = labels(X, seed=seed) if is_classifier else counts(X, seed=seed)
    y[:2] = LABELS[:2] if is_classifier else [0, 1]
    weight = np.random.default_rng(seed).uniform(0.1, 3, n_rows) if weighted else None
    with LocalEngine(n_threads=1):
        reference = estimator.fit(X, y, weight)
        expected = fitted(reference)
    # A frame is converted, so that the budget decides over blocks.
    table = pa.table({f"x{j}": X[:, j] for j in range(n_features)})
    with LocalEngine(n_threads=n_threads, memory=memory):
        assert fitted(estimator.fit(table, y, weight)) == expected


FIT_IN_A_PROCESS = """
import sys
import numpy as np
from shoal.linear_model import LogisticRegression
with np.load(sys.argv[1], allow_pickle=False) as rows:
    model = LogisticRegression(tol=1e-7, class_weight="balanced").fit(rows["X"], rows["y"])
np.savez(sys.argv[2], coef=model.coef_, intercept=model.intercept_,
         rest=[model.n_iter_, *model.loss_curve_])
"""


@pytest.mark.parametrize("instruction_set", available_instruction_sets())
def test_instruction_sets(X, y, reference, tmp_path, instruction_set):
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    subprocess.run(
        [sys.executable, "-c", FIT_IN_A_PROCESS, tmp_path / "rows.npz", tmp_path / "model.npz"],
        env=os.environ | {"SHOAL_INSTRUCTION_SET": instruction_set},
        check=True,
    )
    with np.load(tmp_path / "model.npz") as found:
        assert found["coef"].tobytes() == reference.coef_.tobytes()
        assert found["intercept"].tobytes() == reference.intercept_.tobytes()
        rest = [reference.n_iter_, *reference.loss_curve_]
        assert found["rest"].tobytes() == np.asarray(rest).tobytes()


@pytest.mark.parametrize("n_iter", [1, 6])
def test_driver_killed_and_resumed(folder, reference, tmp_path, monkeypatch, n_iter):
    checkpoint = tmp_path / "fit.checkpoint"
    doomed = model().set_callbacks(KillSelf(n_iter))
    leave_checkpoint(partial(doomed.fit, folder, "y"), checkpoint, monkeypatch)
    assert_same(model().fit(folder, "y", checkpoint=checkpoint), reference)


@pytest.mark.parametrize("n_workers", [1, 2])
def test_workers(X, y, folder, reference, clusters, n_workers):
    with shoal.DaskEngine(clusters(n_workers)):
        assert_same(model().fit(X, y), reference)
        found = model().fit(folder, "y")
        assert_same(found, reference)
        np.testing.assert_array_equal(found.predict(folder), reference.predict(X))


def test_worker_killed_in_mid_fit(folder, reference, clusters):
    cluster = clusters(3)
    process_id = cluster.workers[0].pid
    with shoal.DaskEngine(cluster):
        found = model().set_callbacks(KillWorker(process_id, 4)).fit(folder, "y")
    assert cluster.workers[0].pid != process_id
    assert_same(found, reference)
