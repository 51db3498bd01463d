"""SGDClassifier: scikit-learn's contract and answers, classes, streams."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.linear_model.test_sgd_regressor import EXPECTED_FAILURES

from shoal.exceptions import DataError, ParameterError
from shoal.linear_model import SGDClassifier


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [SGDClassifier(max_iter=20), SGDClassifier("log_loss", max_iter=20)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_scikit_learns_contract(estimator, check):
    check(estimator)


rng = np.random.default_rng(0)
X = rng.normal(size=(600, 5))
THREE = (X @ rng.normal(size=(5, 3)) + 0.3 * rng.normal(size=(600, 3))).argmax(axis=1)
TWO = (THREE == 1).astype(int)
LOSSES = ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", "squared_error")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_file_order_gives_scikit_learns_path(loss, y, form):
    common = {"shuffle": False, "tol": None, "max_iter": 3, "alpha": 0.01}
    if loss.startswith("squared"):
        # The first rates of the other schedules make squares diverge, here as there.
        common |= {"learning_rate": "constant"}
    small = form(0.3 * X)
    theirs = linear_model.SGDClassifier(loss, **common).fit(small, y)
    ours = SGDClassifier(loss, **common).fit(small, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        ours.decision_function(form(X)), theirs.decision_function(form(X)), rtol=1e-6, atol=1e-8
    )
    if loss in ("log_loss", "modified_huber"):
        np.testing.assert_allclose(
            ours.predict_proba(form(X)), theirs.predict_proba(form(X)), rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize("load", [load_breast_cancer, load_digits, load_wine])
@pytest.mark.parametrize("loss", ["hinge", "log_loss"])
def test_agrees_with_scikit_learn(load, loss):
    data = load()
    known, new, y, y_new = train_test_split(data.data, data.target, random_state=0)
    scaler = StandardScaler().fit(known)
    known, new = scaler.transform(known), scaler.transform(new)

    def accuracy(kind):
        seeds = range(5)
        models = [kind(loss, random_state=seed, average=True).fit(known, y) for seed in seeds]
        return np.mean([model.score(new, y_new) for model in models])

    assert abs(accuracy(SGDClassifier) - accuracy(linear_model.SGDClassifier)) < 0.02


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 5.0, 2: 0.5}])
def test_class_weights_multiply_steps(class_weight):
    common = {"shuffle": False, "tol": None, "max_iter": 2, "class_weight": class_weight}
    # Of several classes scikit-learn weighs an output's two sides, Shoal the rows of a class.
    theirs = linear_model.SGDClassifier(**common).fit(X[THREE < 2], THREE[THREE < 2])
    ours = SGDClassifier(**common).fit(X[THREE < 2], THREE[THREE < 2])
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6)


def test_rows_weigh_the_same_for_all_classes():
    common = {"shuffle": False, "tol": None, "max_iter": 2, "random_state": 0}
    weight = np.array([1.0, 5.0, 0.5])[THREE]
    found = SGDClassifier(class_weight={0: 1.0, 1: 5.0, 2: 0.5}, **common).fit(X, THREE)
    for k in range(3):
        one = SGDClassifier(**common).fit(X, k == THREE, sample_weight=weight)
        np.testing.assert_allclose(found.coef_[k], one.coef_[0], rtol=1e-12)


def test_a_warm_start_with_other_classes_or_features_is_a_cold_one():
    model = SGDClassifier(random_state=0, warm_start=True).fit(X, TWO)
    cold = SGDClassifier(random_state=0)
    np.testing.assert_array_equal(model.fit(X, THREE).coef_, cold.fit(X, THREE).coef_)
    np.testing.assert_array_equal(model.fit(X[:, :2], THREE).coef_, cold.fit(X[:, :2], THREE).coef_)
    with pytest.raises(DataError, match="coef_init has shape"):
        model.fit(X, TWO, coef_init=model.coef_)


def test_streams_learn_all_classes():
    model = SGDClassifier("log_loss", random_state=0)
    for start in range(0, 600, 50):
        rows = slice(start, start + 50)
        model.partial_fit(X[rows], THREE[rows], classes=[2, 0, 1])
    assert model.score(X, THREE) > 0.8
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.class_weights_.tolist() == np.bincount(THREE).tolist()


def test_streams_balance_classes_as_they_come():
    """The weights of a call are those of all rows so far, its own included."""
    settings = {"shuffle": False, "random_state": 0}
    stream = SGDClassifier(class_weight="balanced", **settings)
    by_hand = SGDClassifier(**settings)
    seen = np.zeros(2)
    for start in range(0, 600, 100):
        rows = slice(start, start + 100)
        stream.partial_fit(X[rows], TWO[rows], classes=[0, 1])
        seen += np.bincount(TWO[rows], minlength=2)
        weight = (seen.sum() / (2 * seen))[TWO[rows]]
        by_hand.partial_fit(X[rows], TWO[rows], classes=[0, 1], sample_weight=weight)
    np.testing.assert_allclose(stream.coef_, by_hand.coef_, rtol=1e-12)


def test_a_batch_of_one_class_is_learnt_from():
    model = SGDClassifier(random_state=0)
    model.partial_fit(X[TWO == 0], TWO[TWO == 0], classes=[0, 1])
    model.partial_fit(X[TWO == 1], TWO[TWO == 1])
    assert set(model.predict(X)) <= {0, 1}


def test_labels_may_be_text():
    y = np.array(["ham", "spam"])[TWO]
    model = SGDClassifier("log_loss", random_state=0).fit(X, y)
    assert (
        model.predict(X).tolist() == model.classes_[(model.decision_function(X) > 0) * 1].tolist()
    )
    assert model.score(X, y) > 0.7
    log = model.predict_log_proba(X)
    np.testing.assert_allclose(np.exp(log).sum(axis=1), 1.0)


def test_early_stopping_watches_rows_that_are_held_out():
    held = SGDClassifier("log_loss", random_state=0, early_stopping=True, validation_fraction=0.3)
    assert held.fit(X, THREE).score(X, THREE) > 0.8
    given = SGDClassifier("log_loss", random_state=0, early_stopping=True)
    given.fit(X[:400], THREE[:400], validation=(X[400:], THREE[400:]))
    assert given.score(X[400:], THREE[400:]) > 0.8


def test_rows_that_no_output_claims_are_of_any_class():
    model = SGDClassifier("modified_huber", random_state=0).fit(X, THREE)
    model.intercept_ = np.full(3, -1e6)
    np.testing.assert_allclose(model.predict_proba(X[:1]), 1 / 3)


def test_there_are_no_probabilities_of_margins():
    assert not hasattr(SGDClassifier("hinge"), "predict_proba")
    assert hasattr(SGDClassifier("log_loss"), "predict_proba")


def test_bad_labels_are_refused():
    with pytest.raises(DataError, match="only one class: 1"):
        SGDClassifier().fit(X, np.ones(600, int))
    with pytest.raises(DataError, match="Unknown label type: continuous"):
        SGDClassifier().fit(X, X[:, 0])
    with pytest.raises(ParameterError, match="classes must be passed on the first call"):
        SGDClassifier().partial_fit(X, TWO)
    with pytest.raises(DataError, match="at least 2 classes"):
        SGDClassifier().partial_fit(X, TWO, classes=[1])
    model = SGDClassifier().partial_fit(X, TWO, classes=[0, 1])
    coef = model.coef_
    with pytest.raises(DataError, match=r"the label .*2.* none of the classes \[0, 1\]"):
        model.partial_fit(X, THREE)
    with pytest.raises(ParameterError, match="not the same as on last call"):
        model.partial_fit(X, TWO, classes=[0, 1, 2])
    assert model.coef_ is coef
