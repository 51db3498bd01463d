"""``shoal fit knn``: the API's models, from options."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from shoal import load_model, open_dataset
from shoal.neighbors import KNeighborsClassifier, KNeighborsRegressor


def test_options_are_the_estimators_parameters(shoal_command, labelled, tmp_path):
    result = shoal_command(
        *("fit", "knn", labelled, "--target", "y", "--columns", "b,a", "--n-neighbors", 7),
        *("--weights", "distance", "--metric", "cosine"),
        *("--algorithm", "partition", "--n-probe", 2),
        *("--out", tmp_path / "model"),
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(
        "300 rows x 2 features of 2 labels: 7 neighbors each, by partition, "
    )
    found = load_model(tmp_path / "model")
    expected = KNeighborsClassifier(
        7, weights="distance", metric="cosine", algorithm="partition", n_probe=2
    )
    assert type(found) is KNeighborsClassifier
    assert found.get_params() == expected.get_params()
    assert found.feature_names_in_.tolist() == ["b", "a"]
    assert found.classes_.tolist() == ["no", "yes"]


def test_labels_are_predicted_to_a_file(shoal_command, labelled, tmp_path):
    model, out = tmp_path / "model", tmp_path / "labels.parquet"
    fit = ("fit", "knn", labelled, "--target", "y", "-k", 9, "--out", model)
    assert shoal_command(*fit).exit_code == 0
    result = shoal_command("predict", model, labelled, "--out", out)
    assert result.exit_code == 0, result.stderr
    found = pq.read_table(out)["label"].to_pylist()
    dataset = open_dataset(labelled, features=["a", "b"], target="y")
    assert found == KNeighborsClassifier(9).fit(dataset).predict(dataset).tolist()
    truth = pq.read_table(labelled)["y"].to_pylist()
    assert np.mean([a == b for a, b in zip(found, truth, strict=True)]) > 0.9


def test_numbers_are_predicted_by_a_regression(shoal_command, rows, tmp_path):
    model, out = tmp_path / "model", tmp_path / "numbers.parquet"
    fit = ("fit", "knn", rows, "--target", "a", "--columns", "weight", "--regression")
    result = shoal_command(*fit, "--out", model)
    assert result.exit_code == 0, result.stderr
    assert "of numbers: 5 neighbors each, " in result.stdout
    assert type(load_model(model)) is KNeighborsRegressor
    assert shoal_command("predict", model, rows, "--out", out).exit_code == 0
    dataset = open_dataset(rows, features=["weight"], target="a")
    np.testing.assert_array_equal(
        pq.read_table(out)["prediction"], KNeighborsRegressor().fit(dataset).predict(dataset)
    )


def test_a_model_is_its_rows_wherever_they_came_from(shoal_command, labelled, tmp_path):
    model, moved = tmp_path / "model", tmp_path / "moved.parquet"
    fit = ("fit", "knn", labelled, "--target", "y", "--out", model)
    assert shoal_command(*fit).exit_code == 0
    labelled.rename(moved)
    result = shoal_command("predict", model, moved, "--out", tmp_path / "labels.parquet")
    assert result.exit_code == 0, result.stderr


def test_dropped_rows_do_not_vote(shoal_command, rows, tmp_path):
    model = tmp_path / "model"
    fit = ("fit", "knn", rows, "--columns", "a,b", "--target", "name", "--missing", "drop")
    result = shoal_command(*fit, "--out", model)
    assert result.stdout.startswith(
        "199 rows (1 with missing values left out) x 2 features of 1 labels: "
    )
    assert load_model(model).n_samples_fit_ == 199


def test_rows_that_do_not_fit_in_memory_are_refused(shoal_command, labelled, tmp_path):
    fit = ("fit", "knn", labelled, "--target", "y", "--memory", "1kB", "--out", tmp_path / "model")
    result = shoal_command(*fit)
    assert result.exit_code == 1
    assert result.stderr.startswith("shoal: Loading <Dataset of 300 rows x 2 features")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--n-neighbors", 0),
        ("--weights", "best"),
        ("--metric", "near"),
        ("--checkpoint", "state"),
        ("--sample-weight", "weight"),
    ],
)
def test_wrong_usage(shoal_command, rows, tmp_path, wrong):
    fit = ("fit", "knn", rows, "--target", "b", "--out", tmp_path / "model")
    result = shoal_command(*fit, *wrong)
    assert result.exit_code == 2
    assert wrong[0] in result.stderr


def test_a_model_that_could_answer_nothing_is_not_saved(shoal_command, labelled, tmp_path):
    model = tmp_path / "model"
    fit = ("fit", "knn", labelled, "--target", "y", "--out", model)
    result = shoal_command(*fit, "-k", 301)
    assert result.exit_code == 1
    assert "n_neighbors = 301, n_samples_fit = 300" in result.stderr
    assert not model.exists()
    assert shoal_command(*fit, "-k", 300).exit_code == 0
