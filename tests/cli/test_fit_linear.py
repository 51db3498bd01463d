"""``shoal fit linear`` and ``logistic``: the API's models, from options."""

import numpy as np
import pytest

from shoal import linear_model, load_model, open_dataset


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), linear_model.LinearRegression()),
        (("--penalty", "l2", "--alpha", 0.5), linear_model.Ridge(0.5)),
        (("--penalty", "l1", "--alpha", 0.5), linear_model.Lasso(0.5)),
        (
            ("--penalty", "elasticnet", "--alpha", 0.5, "--l1-ratio", 0.2),
            linear_model.ElasticNet(0.5, l1_ratio=0.2),
        ),
    ],
)
def test_penalties_are_estimators(shoal_command, rows, tmp_path, options, expected):
    fit = ("fit", "linear", rows, "--target", "b", "--columns", "a", "--missing", "drop")
    result = shoal_command(*fit, *options, "--out", tmp_path / "model")
    assert result.exit_code == 0, result.stderr
    found = load_model(tmp_path / "model")
    expected.fit(open_dataset(rows, features=["a"], target="b", missing="drop"))
    assert type(found) is type(expected)
    assert found.get_params() == expected.get_params()
    assert np.array_equal(found.coef_, expected.coef_)


def test_logistic_options_are_the_estimators_parameters(shoal_command, labelled, tmp_path):
    result = shoal_command(
        *("fit", "logistic", labelled, "--target", "y", "--columns", "a,b", "--C", 0.5),
        *("--l1-ratio", 0.1, "--balanced", "--tol", 1e-5, "--max-iter", 77),
        *("--out", tmp_path / "model"),
    )
    assert result.exit_code == 0, result.stderr
    assert "of 2 labels: " in result.stdout
    found = load_model(tmp_path / "model")
    expected = linear_model.LogisticRegression(
        C=0.5, l1_ratio=0.1, class_weight="balanced", tol=1e-5, max_iter=77
    )
    assert found.get_params() == expected.get_params()
    expected.fit(open_dataset(labelled, features=["a", "b"], target="y"))
    assert np.array_equal(found.coef_, expected.coef_)
    assert found.classes_.tolist() == ["no", "yes"]


def test_labels_are_predicted_to_a_file(shoal_command, labelled, tmp_path):
    model, out = tmp_path / "model", tmp_path / "labels.parquet"
    fit = ("fit", "logistic", labelled, "--target", "y", "--columns", "a,b", "--out", model)
    assert shoal_command(*fit).exit_code == 0
    assert shoal_command("predict", model, labelled, "--out", out).exit_code == 0
    import pyarrow.parquet as pq

    labels = pq.read_table(out).column(0).to_pylist()
    assert set(labels) == {"no", "yes"}
    truth = pq.read_table(labelled).column("y").to_pylist()
    assert np.mean([a == b for a, b in zip(labels, truth, strict=True)]) > 0.9


def test_a_target_that_is_missing_is_asked_for(shoal_command, rows, tmp_path):
    result = shoal_command("fit", "linear", rows, "--out", tmp_path / "model")
    assert result.exit_code == 2
    assert "--target" in result.stderr


def test_a_column_that_is_not_there_is_named(shoal_command, labelled, tmp_path):
    fit = ("fit", "logistic", labelled, "--target", "z", "--out", tmp_path / "model")
    result = shoal_command(*fit)
    assert result.exit_code == 1
    assert "target: no column 'z'" in result.stderr
