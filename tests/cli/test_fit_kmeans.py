"""``shoal fit kmeans``: the API's model, from options."""

import numpy as np
import pytest

from shoal import load_model, open_dataset
from shoal.cluster import KMeans


def test_options_are_the_estimators_parameters(shoal_command, rows, tmp_path):
    result = shoal_command(
        *("fit", "kmeans", rows, "--columns", "b,a", "--missing", "drop"),
        *("--n-clusters", 3, "--init", "random", "--n-init", 2, "--max-iter", 7, "--tol", 0.01),
        *("--seed", 5, "--metric", "cosine", "--sample-weight", "weight"),
        *("--memory", "1GB", "--threads", 1, "--out", tmp_path / "model"),
    )
    assert result.exit_code == 0, result.stderr
    found = load_model(tmp_path / "model")
    expected = KMeans(
        3, init="random", n_init=2, max_iter=7, tol=0.01, random_state=5, metric="cosine"
    )
    assert found.get_params() == expected.get_params()
    dataset = open_dataset(rows, features=["b", "a"], sample_weight="weight", missing="drop")
    expected.fit(dataset)
    assert found.feature_names_in_.tolist() == ["b", "a"]
    assert np.array_equal(found.cluster_centers_, expected.cluster_centers_)
    assert found.inertia_ == expected.inertia_


def test_several_files_are_one_dataset(shoal_command, rows, tmp_path):
    files = sorted(rows.iterdir())
    result = shoal_command("fit", "kmeans", *files, "--columns", "a", "--out", tmp_path / "model")
    assert result.stdout.startswith("200 rows x 1 features in 8 clusters: ")


def test_missing_values_are_an_error_by_default(shoal_command, rows, tmp_path):
    result = shoal_command("fit", "kmeans", rows, "--columns", "a,b", "--out", tmp_path / "model")
    assert result.exit_code == 1
    assert result.stderr.startswith("shoal: Input X contains NaN")
    assert "1.parquet, column 'b', row 50" in result.stderr
    assert not (tmp_path / "model").exists()


def test_a_model_that_was_there_outlives_an_error(shoal_command, rows, tmp_path):
    (tmp_path / "model").write_text("before")
    fit = ("fit", "kmeans", rows, "--out", tmp_path / "model", "--n-clusters", 2)
    assert shoal_command(*fit, "--columns", "b").exit_code == 1
    assert (tmp_path / "model").read_text() == "before"
    assert shoal_command(*fit, "--columns", "a").exit_code == 0
    assert load_model(tmp_path / "model").n_clusters == 2


def test_a_folder_that_is_missing_is_found_before_the_fit(shoal_command, rows, tmp_path):
    out = tmp_path / "nowhere" / "model"
    # The fit would fail, too, if it came to it.
    result = shoal_command("fit", "kmeans", rows, "--columns", "b", "--out", out)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"shoal: cannot write {out}: No such file or directory; ")


@pytest.mark.parametrize(
    "wrong", [("--n-clusters", 0), ("--init", "best"), ("--tol", -1), ("--missing", "fill")]
)
def test_wrong_usage(shoal_command, rows, tmp_path, wrong):
    result = shoal_command("fit", "kmeans", rows, "--out", tmp_path / "model", *wrong)
    assert result.exit_code == 2
    assert wrong[0] in result.stderr
