"""``shoal fit sgd-classifier`` and ``sgd-regressor``: the API's models, from options."""

import numpy as np

from shoal import linear_model, load_model, open_dataset


def test_classifier_options_are_the_estimators_parameters(shoal_command, labelled, tmp_path):
    result = shoal_command(
        *("fit", "sgd-classifier", labelled, "--target", "y", "--columns", "a,b"),
        *("--loss", "log_loss", "--penalty", "elasticnet", "--alpha", 0.01, "--l1-ratio", 0.3),
        *("--max-iter", 70, "--tol", 0.01, "--learning-rate", "invscaling", "--eta0", 0.1),
        *("--batch-size", 4, "--seed", 3, "--out", tmp_path / "model"),
    )
    assert result.exit_code == 0, result.stderr
    found = load_model(tmp_path / "model")
    expected = linear_model.SGDClassifier(
        loss="log_loss",
        penalty="elasticnet",
        alpha=0.01,
        l1_ratio=0.3,
        max_iter=70,
        tol=0.01,
        learning_rate="invscaling",
        eta0=0.1,
        batch_size=4,
        random_state=3,
    )
    assert found.get_params() == expected.get_params()
    expected.fit(open_dataset(labelled, features=["a", "b"], target="y"))
    assert np.array_equal(found.coef_, expected.coef_)


def test_regressor_options_are_the_estimators_parameters(shoal_command, rows, tmp_path):
    result = shoal_command(
        *("fit", "sgd-regressor", rows, "--target", "b", "--columns", "a", "--missing", "drop"),
        *("--loss", "huber", "--penalty", "none", "--max-iter", 900, "--eta0", 0.001),
        *("--out", tmp_path / "model"),
    )
    assert result.exit_code == 0, result.stderr
    assert "of numbers: " in result.stdout
    found = load_model(tmp_path / "model")
    assert (found.loss, found.penalty, found.max_iter, found.eta0) == ("huber", None, 900, 0.001)
    expected = linear_model.SGDRegressor(**found.get_params())
    expected.fit(open_dataset(rows, features=["a"], target="b", missing="drop"))
    assert np.array_equal(found.coef_, expected.coef_)
