"""The first promise, of stochastic descent: the same bits anywhere, after any death."""

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
from shoal.linear_model import SGDClassifier

N_FILES, N_ROWS = 7, 200_000


@pytest.fixture(scope="module", name="table")
def all_rows():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(N_ROWS, 6)).astype(np.float32)
    y = (X @ generator.normal(size=(6, 3)) + generator.normal(size=(N_ROWS, 3))).argmax(axis=1)
    return pa.table({f"x{j}": X[:, j] for j in range(6)} | {"y": y})


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    """Files of one row group each, of which replicas take several."""
    folder = tmp_path_factory.mktemp("sgd")
    for number, rows in enumerate(np.array_split(np.arange(N_ROWS), N_FILES)):
        pq.write_table(table.take(rows), folder / f"part-{number}.parquet")
    return folder


def model(**parameters):
    defaults = {"random_state": 3, "max_iter": 4, "tol": None, "n_replicas": 3, "average": True}
    return SGDClassifier("log_loss", **(defaults | parameters))


def bits(estimator):
    """Every fitted attribute that does not name columns, as bytes."""
    names = ("coef_", "intercept_", "n_iter_", "loss_curve_", "t_")
    values = [np.asarray(getattr(estimator, name)) for name in names]
    return [(value.dtype.str, value.shape, value.tobytes()) for value in values]


@pytest.fixture(scope="module")
def reference(folder):
    with LocalEngine(n_threads=1):
        return model().fit(folder, "y")


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("memory", ["64MB", "100MB", "1GB"])
def test_threads_and_memory_budgets(folder, reference, n_threads, memory):
    with LocalEngine(n_threads, memory):
        assert bits(model().fit(folder, "y")) == bits(reference)


def test_one_replica_does_not_know_files_from_arrays(folder, table, tmp_path):
    with LocalEngine(1):
        expected = bits(model(n_replicas=1).fit(table, "y"))
    pq.write_table(table, tmp_path / "one.parquet", row_group_size=11_111)
    X = np.stack([column.to_numpy() for column in table.columns[:6]], axis=1)
    for arguments in (
        (folder, "y"),
        (tmp_path / "one.parquet", "y"),
        (X, table["y"].to_numpy()),
        (np.asfortranarray(X), table["y"].to_numpy()),
    ):
        with LocalEngine(2, "100MB"):
            assert bits(model(n_replicas=1).fit(*arguments)) == expected


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(70_000, 140_000),
    n_features=st.integers(1, 5),
    dtype=st.sampled_from([np.float32, np.float64]),
    optimizer=st.sampled_from(["sgd", "adam", "momentum"]),
    penalty=st.sampled_from(["l2", "l1", "elasticnet", None]),
    n_replicas=st.integers(1, 3),
    n_threads=st.integers(2, 3),
)
def test_any_problem(seed, n_rows, n_features, dtype, n_threads, optimizer, **parameters):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n_rows, n_features)).astype(dtype)
    y = (X.sum(axis=1) + generator.normal(size=n_rows) > 0).astype(int)
    parameters |= {"max_iter": 2, "optimizer": optimizer}
    if optimizer != "sgd":
        parameters |= {"batch_size": 100, "learning_rate": "constant", "eta0": 0.001}
    weight = generator.uniform(0.1, 3, n_rows)
    fit = partial(model(**parameters).fit, X, y, sample_weight=weight)
    with LocalEngine(1):
        expected = bits(fit())
    # A frame is converted, so that the budget decides over blocks.
    frame = pa.table({f"x{j}": X[:, j] for j in range(n_features)})
    with LocalEngine(n_threads, "100MB"):
        assert bits(model(**parameters).fit(frame, y, sample_weight=weight)) == expected
        assert bits(fit()) == expected


FIT_IN_A_PROCESS = """
import sys
import numpy as np
from shoal.linear_model import SGDClassifier
model = SGDClassifier("log_loss", random_state=3, max_iter=4, tol=None, n_replicas=3, average=True)
model.fit(sys.argv[1], "y")
np.savez(sys.argv[2], coef=model.coef_, rest=[*model.intercept_, *model.loss_curve_])
"""


@pytest.mark.parametrize("instruction_set", available_instruction_sets())
def test_instruction_sets(folder, reference, tmp_path, instruction_set):
    subprocess.run(
        [sys.executable, "-c", FIT_IN_A_PROCESS, folder, tmp_path / "model.npz"],
        env=os.environ | {"SHOAL_INSTRUCTION_SET": instruction_set},
        check=True,
    )
    with np.load(tmp_path / "model.npz") as found:
        assert found["coef"].tobytes() == reference.coef_.tobytes()
        rest = [*reference.intercept_, *reference.loss_curve_]
        assert found["rest"].tobytes() == np.asarray(rest).tobytes()


@pytest.mark.parametrize("n_iter", [1, 3])
def test_driver_killed_and_resumed(folder, reference, tmp_path, monkeypatch, n_iter):
    checkpoint = tmp_path / "fit.checkpoint"
    doomed = model().set_callbacks(KillSelf(n_iter))
    leave_checkpoint(partial(doomed.fit, folder, "y"), checkpoint, monkeypatch)
    assert bits(model().fit(folder, "y", checkpoint=checkpoint)) == bits(reference)


@pytest.mark.parametrize("n_workers", [1, 2])
def test_workers(folder, table, reference, clusters, n_workers):
    X = np.stack([column.to_numpy() for column in table.columns[:6]], axis=1)
    with LocalEngine(1):
        of_arrays = bits(model().fit(X, table["y"].to_numpy()))
    with shoal.DaskEngine(clusters(n_workers)):
        assert bits(model().fit(folder, "y")) == bits(reference)
        assert bits(model().fit(X, table["y"].to_numpy())) == of_arrays


def test_worker_killed_in_mid_fit(folder, reference, clusters):
    cluster = clusters(2)
    process_id = cluster.workers[0].pid
    with shoal.DaskEngine(cluster):
        found = model().set_callbacks(KillWorker(process_id, 2)).fit(folder, "y")
    assert cluster.workers[0].pid != process_id
    assert bits(found) == bits(reference)
