"""The command as a whole, in a process of its own where that matters."""

import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

import shoal
from shoal import load_model

COMMAND = [sys.executable, "-c", "from shoal.cli import main; main()"]
#: The same, writing every state, so that an interrupt finds one however fast the machine is.
EAGER_PROGRAM = """
from shoal.cli import main
from shoal.solvers import driver

driver.INTERVAL_SECONDS, driver.LARGEST_SHARE = 0.0, float("inf")
main()
"""
EAGER = [sys.executable, "-c", EAGER_PROGRAM]
HEAVY = ("numpy", "pyarrow", "sklearn")


def test_help_names_every_command(shoal_command):
    result = shoal_command("--help")
    assert result.exit_code == 0
    assert {"info", "fit", "predict", "neighbors"} <= set(result.stdout.split())


@pytest.mark.parametrize(
    "command",
    [
        ["info"],
        ["fit", "kmeans"],
        ["fit", "linear"],
        ["fit", "logistic"],
        ["fit", "sgd-classifier"],
        ["fit", "sgd-regressor"],
        ["fit", "knn"],
        ["predict"],
        ["neighbors"],
    ],
)
def test_help_of_each_command_has_an_example(shoal_command, command):
    result = shoal_command(*command, "--help")
    assert result.exit_code == 0
    assert f"shoal {' '.join(command)} " in result.stdout.split("For example:")[1]


def test_version(shoal_command):
    assert shoal_command("--version").stdout == f"shoal {shoal.__version__}\n"


def test_help_loads_no_library():
    program = f"import sys, shoal.cli; print([m for m in {HEAVY} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"


def test_a_process_fits_and_warns_without_a_traceback(tmp_path):
    np.save(tmp_path / "rows.npy", np.zeros((20, 2)))
    data, model = tmp_path / "rows.npy", tmp_path / "model"
    run = subprocess.run(
        [*COMMAND, "fit", "kmeans", data, "--n-clusters", "2", "--out", model],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stderr.startswith("shoal: warning: Number of distinct clusters (1) found smaller")
    assert len(run.stderr.splitlines()) == 1
    assert load_model(model).cluster_centers_.tolist() == [[0, 0], [0, 0]]


def test_an_interrupted_fit_says_how_to_resume_and_does(shoal_command, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "rows.npy", rng.random((20_000, 8)))
    fit = ["fit", "kmeans", tmp_path / "rows.npy", "--n-clusters", "64", "--tol", "0"]
    state, out = tmp_path / "state", tmp_path / "model"
    options = ["--checkpoint", state, "--out", out, "--threads", "1"]
    process = subprocess.Popen(
        [*EAGER, *fit, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == (
        f"shoal: interrupted. Run the same command again to go on from the checkpoint {state}."
    )
    assert not out.exists()
    assert shoal_command(*fit, *options).exit_code == 0
    whole = tmp_path / "whole"
    assert shoal_command(*fit, "--out", whole).exit_code == 0
    resumed, undisturbed = load_model(out), load_model(whole)
    assert np.array_equal(resumed.cluster_centers_, undisturbed.cluster_centers_)
    assert resumed.n_iter_ == undisturbed.n_iter_


def test_fit_then_predict(shoal_command, rows, tmp_path):
    model, labels = tmp_path / "model", tmp_path / "labels.parquet"
    fit = ("fit", "kmeans", rows, "--columns", "a,b", "--n-clusters", 2, "--missing", "drop")
    assert shoal_command(*fit, "--out", model).exit_code == 0
    result = shoal_command("predict", model, rows, "--missing", "drop", "--out", labels)
    assert result.exit_code == 0
    found = pq.read_table(labels)["label"].to_pylist()
    assert found[150] is None
    assert len({*found[:100]}) == len({*found[100:150], *found[151:]}) == 1
    assert found[0] != found[199]
