"""The first promise, where few rows are labelled: the same bits on any engine, budget and file."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.faults import KillWorker
from tests.conformance.test_bit_identity import rows

import shoal
from shoal import LocalEngine
from shoal._kernels import available_instruction_sets
from shoal.cluster import SeededKMeans
from shoal.linear_model import LogisticRegression
from shoal.neighbors import KNeighborsClassifier
from shoal.semi_supervised import (
    LabelPropagation,
    LabelSpreading,
    LabelSpreadingRegressor,
    SelfTrainingClassifier,
)
from shoal.testing.bits import bits

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:k_best is larger"),
]

MODELS = {
    "propagation": lambda: LabelPropagation(n_neighbors=5, max_iter=20),
    "spreading": lambda: LabelSpreading(n_neighbors=5),
    "regressor": lambda: LabelSpreadingRegressor(n_neighbors=5, max_iter=20),
    "seeded": lambda: SeededKMeans(6, random_state=3, max_iter=20, tol=0),
    "constrained": lambda: SeededKMeans(6, constrained=True, random_state=3, max_iter=20, tol=0),
    "trained": lambda: SelfTrainingClassifier(LogisticRegression(), threshold=0.6, max_iter=3),
    "neighbours": lambda: SelfTrainingClassifier(
        KNeighborsClassifier(3), criterion="k_best", k_best=200, max_iter=2
    ),
}
LEARNT = (
    *("label_distributions_", "transduction_", "mass_", "labeled_iter_", "cluster_centers_"),
    *("inertia_", "loss_curve_", "n_iter_"),
)


def labels(X, seed=0, share=0.02):
    """Labels that hang on the features, -1 for most rows."""
    known = np.random.default_rng(seed).random(len(X)) < share
    y = (X[:, 0] > 3).astype(np.int64) + 2 * (X[:, -1] > 3)
    known[np.unique(y, return_index=True)[1]] = True
    return np.where(known, y, -1)


def table(X, y):
    return pa.table({f"x{j}": X[:, j] for j in range(X.shape[1])} | {"y": pa.array(y, mask=y < 0)})


def write_files(folder, X, y, n_files):
    folder.mkdir()
    for number in range(n_files):
        part = slice(number * len(X) // n_files, (number + 1) * len(X) // n_files)
        pq.write_table(table(X[part], y[part]), folder / f"part-{number}.parquet")
    return folder


def learnt(name, X, y):
    """What a model has learnt, and what it makes of some rows, as bits."""
    if name == "regressor" and not isinstance(y, str):
        y = np.where(y < 0, np.nan, y)
    model = MODELS[name]().fit(X, y)
    fitted = [getattr(model, attribute) for attribute in LEARNT if hasattr(model, attribute)]
    estimator = getattr(model, "estimator_", None)
    if hasattr(estimator, "coef_"):
        fitted += [estimator.coef_, estimator.intercept_]
    return bits([*fitted, model.predict(X)])


@pytest.fixture(scope="module", name="X")
def all_rows():
    return rows(4_000)


@pytest.fixture(scope="module", name="y")
def some_labels(X):
    return labels(X)


@pytest.fixture(scope="module")
def references(X, y):
    """Learnt by one thread."""
    with LocalEngine(n_threads=1):
        return {name: learnt(name, X, y) for name in MODELS}


@pytest.fixture(scope="module")
def folder(X, y, tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("few_labels") / "five", X, y, 5)


@pytest.mark.parametrize("name", MODELS)
def test_threads_and_orders_of_memory(X, y, references, name):
    with LocalEngine(n_threads=2):
        assert learnt(name, X, y) == references[name]
        assert learnt(name, np.asfortranarray(X), y) == references[name]


@pytest.mark.parametrize("memory", ["20MB", "1GB"])
@pytest.mark.parametrize("name", MODELS)
def test_files_and_memory_budgets(folder, references, name, memory):
    with LocalEngine(n_threads=2, memory=memory):
        assert learnt(name, folder, "y") == references[name]


@settings(max_examples=20)
@given(
    name=st.sampled_from(sorted(MODELS)),
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(40, 700),
    n_features=st.integers(1, 9),
    dtype=st.sampled_from([np.float32, np.float64]),
    n_threads=st.integers(1, 3),
    memory=st.sampled_from(["100kB", "250kB", "1GB"]),
)
def test_any_problem(name, seed, n_rows, n_features, dtype, n_threads, memory):
    X = rows(n_rows, n_features, dtype, seed)
    y = labels(X, seed, 0.3)
    with LocalEngine(n_threads=1):
        reference = learnt(name, X, y)
    # A frame is converted, so that the budget decides over blocks.
    frame = pa.table({f"x{j}": X[:, j] for j in range(n_features)})
    with LocalEngine(n_threads=n_threads, memory=memory):
        assert learnt(name, frame, y) == reference


LEARN_IN_A_PROCESS = """
import sys
import warnings
import numpy as np
from tests.conformance.test_semi_supervised_identity import MODELS, learnt
warnings.simplefilter("ignore")
X, y = np.load(sys.argv[1]), np.load(sys.argv[2])
print([learnt(name, X, y) for name in MODELS])
"""


@pytest.mark.parametrize("instruction_set", available_instruction_sets())
def test_instruction_sets(X, y, tmp_path, instruction_set):
    X, y = X[:3000], y[:3000]
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    found = subprocess.check_output(
        [sys.executable, "-c", LEARN_IN_A_PROCESS, tmp_path / "X.npy", tmp_path / "y.npy"],
        env=os.environ | {"SHOAL_INSTRUCTION_SET": instruction_set},
        cwd=Path(__file__).parents[2],
        text=True,
    )
    assert found.strip() == str([learnt(name, X, y) for name in MODELS])


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_workers(X, y, folder, references, clusters):
    with shoal.DaskEngine(clusters(2)):
        for name in MODELS:
            assert learnt(name, folder, "y") == references[name], name
        for name in ("spreading", "constrained", "trained"):
            assert learnt(name, X, y) == references[name], name


def test_worker_killed_in_mid_fit(X, folder, clusters):
    with LocalEngine(n_threads=1):
        reference = MODELS["constrained"]().fit(folder, "y")
    cluster = clusters(3)
    process_id = cluster.workers[0].pid
    with shoal.DaskEngine(cluster):
        found = MODELS["constrained"]().set_callbacks(KillWorker(process_id, 4)).fit(folder, "y")
    assert cluster.workers[0].pid != process_id
    assert bits([found.cluster_centers_, found.inertia_]) == bits(
        [reference.cluster_centers_, reference.inertia_]
    )
