"""Self-training against scikit-learn's, with classifiers of both, in memory and on disk."""

import logging

import numpy as np
import pyarrow.parquet as pq
import pytest
import sklearn.linear_model
import sklearn.neighbors
import sklearn.semi_supervised
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.semi_supervised.rows import blobs, parquet, unlabelled

from shoal import LocalEngine, load_model, open_dataset, save_model
from shoal.exceptions import DataError, ModelFileError, NonFiniteError, ParameterError
from shoal.linear_model import LinearRegression, LogisticRegression
from shoal.neighbors import KNeighborsClassifier
from shoal.semi_supervised import SelfTrainingClassifier
from shoal.testing.bits import bits

X, TRUTH, Y = blobs(share=0.03)
LOADS = [load_iris, load_wine, load_breast_cancer, load_digits]


@pytest.mark.filterwarnings("ignore:Skipping check", "ignore:y contains no unlabeled")
@parametrize_with_checks(
    [
        SelfTrainingClassifier(LogisticRegression()),
        SelfTrainingClassifier(KNeighborsClassifier(3)),
        SelfTrainingClassifier(sklearn.linear_model.LogisticRegression()),
    ],
    expected_failed_checks=lambda estimator: {
        "check_non_transformer_estimators_n_iter": (
            "n_iter_ is 0 where all rows are labelled, as of scikit-learn's own"
        )
    },
)
def test_scikit_learns_contract(estimator, check):
    check(estimator)


def assert_equal_fits(found, expected):
    np.testing.assert_array_equal(found.transduction_, expected.transduction_)
    np.testing.assert_array_equal(found.labeled_iter_, expected.labeled_iter_)
    np.testing.assert_array_equal(found.classes_, expected.classes_)
    assert found.n_iter_ == expected.n_iter_
    assert found.termination_condition_ == expected.termination_condition_


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"threshold": 0.95, "max_iter": 3},
        {"criterion": "k_best", "k_best": 7, "max_iter": None},
        {"max_iter": 0},
        {"threshold": 0.999999},
    ],
)
@pytest.mark.parametrize("load", LOADS)
def test_equals_scikit_learns(load, parameters):
    X, y = load(return_X_y=True)
    if parameters.get("max_iter", 1) is None:
        X, y = X[::4], y[::4]
    labels = unlabelled(y)
    found = SelfTrainingClassifier(GaussianNB(), **parameters).fit(X, labels)
    expected = sklearn.semi_supervised.SelfTrainingClassifier(GaussianNB(), **parameters)
    expected.fit(X, labels)
    if parameters.get("criterion") == "k_best":
        # Many rows are of the same probability, 1: scikit-learn takes any of them.
        assert found.n_iter_ == expected.n_iter_
        assert np.bincount(found.labeled_iter_)[1:-1].tolist() == [7] * (found.n_iter_ - 1)
        return
    assert_equal_fits(found, expected)
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))
    assert found.score(X, y) == expected.score(X, y)


@pytest.mark.parametrize(("threshold", "label"), [(0.74, 0), (0.75, -1)])
def test_what_is_as_confident_as_the_threshold_is_not_labelled(threshold, label):
    X, y = np.arange(5.0)[:, None], [0, 0, 0, 1, -1]
    model = SelfTrainingClassifier(KNeighborsClassifier(4), threshold=threshold)
    assert model.fit(X, y).transduction_[-1] == label


@pytest.mark.parametrize("criterion", ["threshold", "k_best"])
def test_classifiers_of_both_give_the_same(criterion):
    X, _, y = blobs(300, share=0.05)
    options = {"criterion": criterion, "k_best": 20, "threshold": 0.9}
    pairs = [
        (LogisticRegression(tol=1e-8), sklearn.linear_model.LogisticRegression(tol=1e-8)),
        (KNeighborsClassifier(3), sklearn.neighbors.KNeighborsClassifier(3)),
    ]
    for ours, theirs in pairs[: 1 if criterion == "k_best" else 2]:
        found = SelfTrainingClassifier(ours, **options).fit(X, y)
        expected = sklearn.semi_supervised.SelfTrainingClassifier(theirs, **options).fit(X, y)
        assert expected.n_iter_ > 1
        assert_equal_fits(found, expected)
        np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-5)


def learnt(model):
    fitted = model.estimator_
    return bits([model.transduction_, model.labeled_iter_, fitted.coef_, fitted.intercept_])


@pytest.mark.parametrize("memory", ["20MB", "1GB"])
def test_files_are_as_arrays(tmp_path, memory):
    reference = SelfTrainingClassifier(LogisticRegression(), threshold=0.97).fit(X, Y)
    assert reference.n_iter_ > 1
    path = parquet(X, Y, tmp_path / "rows.parquet")
    with LocalEngine(memory=memory):
        found = SelfTrainingClassifier(LogisticRegression(), threshold=0.97).fit(path, "y")
        assert learnt(found) == learnt(reference)
        np.testing.assert_array_equal(found.predict(path), reference.predict(X))
    theirs = sklearn.linear_model.LogisticRegression()
    on_disk = SelfTrainingClassifier(theirs).fit(path, "y")
    assert_equal_fits(on_disk, SelfTrainingClassifier(theirs).fit(X, Y))
    np.testing.assert_array_equal(on_disk.predict(path), on_disk.predict_proba(path).argmax(axis=1))


def test_text_labels():
    words = np.array(["ham", "eggs", "spam"], dtype=object)[Y]
    words[Y == -1] = None
    words[5:9] = None
    found = SelfTrainingClassifier(LogisticRegression(), threshold=0.99, max_iter=1).fit(X, words)
    assert found.classes_.tolist() == ["eggs", "ham", "spam"]
    unknown = found.labeled_iter_ == -1
    assert 0 < unknown.sum() < len(X)
    assert all(label is None for label in found.transduction_[unknown])
    assert (found.predict(X) == np.array(["ham", "eggs", "spam"])[TRUTH]).mean() > 0.95


def test_dropped_rows():
    holes = X.copy()
    holes[50, 1] = np.nan
    with pytest.raises(DataError, match="1 rows with missing values were dropped"):
        SelfTrainingClassifier(LogisticRegression()).fit(
            open_dataset(holes, target=Y, missing="drop")
        )


def test_steps_are_logged(caplog):
    with caplog.at_level(logging.INFO, "shoal"):
        model = SelfTrainingClassifier(LogisticRegression(), verbose=True).fit(X, Y)
    lines = [r.message for r in caplog.records if r.message.startswith("SelfTraining")]
    n_labelled = (model.labeled_iter_ == 1).sum()
    assert lines[0] == f"SelfTrainingClassifier: step 1 labelled {n_labelled} rows"


def test_what_makes_no_difference_is_said():
    with pytest.warns(UserWarning, match="y contains no unlabeled samples"):
        SelfTrainingClassifier(LogisticRegression()).fit(X, TRUTH)
    with pytest.warns(UserWarning, match="k_best is larger"):
        SelfTrainingClassifier(LogisticRegression(), criterion="k_best", k_best=999).fit(X, Y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"threshold": 1.0}, "threshold"),
        ({"threshold": -0.1}, "threshold"),
        ({"criterion": "best"}, "criterion"),
        ({"k_best": 0}, "k_best"),
        ({"max_iter": -1}, "max_iter"),
        ({"estimator": None}, "give a classifier"),
        ({"estimator": LinearSVC()}, "LinearSVC has no predict_proba"),
        ({"estimator": LinearRegression()}, "LinearRegression has no predict_proba"),
    ],
)
def test_parameters_without_sense(parameters, message):
    parameters = {"estimator": LogisticRegression()} | parameters
    with pytest.raises(ValueError, match=message):
        SelfTrainingClassifier(**parameters).fit(X, Y)


def test_bad_data():
    model = SelfTrainingClassifier(LogisticRegression())
    with pytest.raises(DataError, match="unknown"):
        model.fit(X, np.full(len(X), -1))
    with pytest.raises(DataError, match="only one class"):
        model.fit(X, np.where(np.arange(len(X)) < 3, 1, -1))
    holes = X.copy()
    holes[3, 1] = np.nan
    with pytest.raises(NonFiniteError, match="in array, column 'x1', row 3"):
        model.fit(holes, Y)
    assert not hasattr(model, "estimator_")


def test_only_what_the_classifier_can():
    model = SelfTrainingClassifier(KNeighborsClassifier()).fit(X, Y)
    assert not hasattr(model, "decision_function")
    logistic = SelfTrainingClassifier(LogisticRegression()).fit(X, Y)
    np.testing.assert_array_equal(
        logistic.decision_function(X[:5]), logistic.estimator_.decision_function(X[:5])
    )
    np.testing.assert_array_equal(
        logistic.predict_log_proba(X[:5]), np.log(logistic.predict_proba(X[:5]))
    )


@pytest.mark.parametrize("estimator", [LogisticRegression(C=2), KNeighborsClassifier(3)])
def test_is_saved_with_its_classifier(estimator, tmp_path):
    model = SelfTrainingClassifier(estimator).fit(X, Y)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.get_params(deep=True).keys() == model.get_params(deep=True).keys()
    assert again.estimator.get_params() == estimator.get_params()
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_labels_are_written(tmp_path):
    model = SelfTrainingClassifier(LogisticRegression()).fit(X, Y)
    written = model.predict(X, out=tmp_path / "labels.parquet")
    np.testing.assert_array_equal(pq.read_table(written)["label"].to_numpy(), model.predict(X))


def test_a_classifier_that_is_not_ours_is_in_no_file(tmp_path):
    model = SelfTrainingClassifier(GaussianNB()).fit(X, Y)
    with pytest.raises(ParameterError, match="GaussianNB predicts in memory"):
        model.predict(X, out=tmp_path / "labels.parquet")
    with pytest.raises(ModelFileError, match="GaussianNB is not an estimator of Shoal"):
        save_model(model, tmp_path / "model")


def test_parameter_errors_are_typed():
    with pytest.raises(ParameterError):
        SelfTrainingClassifier(LogisticRegression(), threshold=2.0).fit(X, Y)
