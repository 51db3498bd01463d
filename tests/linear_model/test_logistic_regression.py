"""Logistic regression against scikit-learn's, closed forms, and the textbook's loop."""

import numpy as np
import pytest
import sklearn.linear_model
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from tests.linear_model.models import labels, parquet, rows, weights

from shoal import open_dataset
from shoal.callbacks import FitListener, IterationEnded
from shoal.exceptions import CheckpointError, DataError, DivergenceError, ParameterError
from shoal.linear_model import LogisticRegression


def objective(model, X, y, C, l1_ratio=0.0):
    """scikit-learn's objective over C times the number of rows."""
    logarithms = model.predict_log_proba(X)
    positions = np.searchsorted(model.classes_, y)
    penalty = l1_ratio * np.abs(model.coef_).sum() + (1 - l1_ratio) / 2 * (model.coef_**2).sum()
    return -logarithms[np.arange(len(y)), positions].mean() + penalty / (C * len(y))


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
@pytest.mark.parametrize("C", [1e-3, 1.0])
@pytest.mark.parametrize("solver", ["lbfgs", "newton"])
def test_equals_scikit_learns_on_real_data(load, C, solver):
    X, y = load(return_X_y=True)
    expected = sklearn.linear_model.LogisticRegression(
        C=C, tol=1e-10, max_iter=10_000, solver="newton-cholesky"
    ).fit(X, y)
    found = LogisticRegression(C=C, tol=1e-7, solver=solver).fit(X, y)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-3)
    least = objective(expected, X, y, C)
    assert objective(found, X, y, C) == pytest.approx(least, rel=1e-8)
    assert found.score(X, y) == expected.score(X, y)


def test_digits_to_the_default_tolerance():
    X, y = load_digits(return_X_y=True)
    expected = sklearn.linear_model.LogisticRegression(C=0.01, solver="newton-cholesky").fit(X, y)
    found = LogisticRegression(C=0.01).fit(X, y)
    assert objective(found, X, y, 0.01) <= objective(expected, X, y, 0.01) * (1 + 1e-4)
    assert abs(found.score(X, y) - expected.score(X, y)) <= 1e-3


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 0.5}])
@pytest.mark.parametrize("weighted", [True, False])
def test_equals_scikit_learns(n_classes, fit_intercept, class_weight, weighted):
    X = rows()
    y, weight = labels(X, n_classes), weights(200) if weighted else None
    options = {"fit_intercept": fit_intercept, "class_weight": class_weight}
    expected = sklearn.linear_model.LogisticRegression(
        **options, tol=1e-10, max_iter=10_000, solver="newton-cholesky"
    ).fit(X, y, weight)
    found = LogisticRegression(**options, tol=1e-8, max_iter=1000).fit(X, y, weight)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_l1_is_scikit_learns(n_classes, l1_ratio):
    X = rows()
    y = labels(X, n_classes)
    expected = sklearn.linear_model.LogisticRegression(
        C=0.05, l1_ratio=l1_ratio, solver="saga", tol=1e-9, max_iter=100_000, random_state=0
    ).fit(X, y)
    found = LogisticRegression(C=0.05, l1_ratio=l1_ratio, tol=1e-8, max_iter=5000).fit(X, y)
    assert found.solver_ == "nesterov"
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-4)
    least = objective(expected, X, y, 0.05, l1_ratio)
    assert objective(found, X, y, 0.05, l1_ratio) <= least * (1 + 1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", ["newton", "nesterov", "gradient_descent"])
def test_solvers_agree(n_classes, solver):
    X = rows()
    y = labels(X, n_classes)
    expected = LogisticRegression(tol=1e-8, max_iter=1000).fit(X, y)
    found = LogisticRegression(solver=solver, tol=1e-7, max_iter=20_000).fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-4)
    assert len(found.loss_curve_) == found.n_iter_
    assert found.loss_curve_[-1] == pytest.approx(objective(found, X, y, 1.0), rel=1e-5)


@pytest.mark.filterwarnings("ignore:gradient_descent did not converge")
def test_gradient_descent_is_the_textbooks():
    X = rows(offset=1.0)
    y = labels(X)
    w, b = np.zeros(4), 0.0
    for _ in range(30):
        slope = 1 / (1 + np.exp(-(X @ w + b))) - y
        w, b = w - 0.3 * (X.T @ slope / 200 + w / (2.0 * 200)), b - 0.3 * slope.mean()
    model = LogisticRegression(
        C=2.0, solver="gradient_descent", learning_rate=0.3, max_iter=30, tol=0.0
    ).fit(X, y)
    np.testing.assert_allclose(model.coef_[0], w, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, [b], rtol=1e-9)


def test_fits_in_a_dozen_passes():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(5000, 30)) * generator.lognormal(0, 3, 30) + 5
    raw = (X - X.mean(axis=0)) / X.std(axis=0) @ generator.normal(size=30)
    y = generator.random(5000) < 1 / (1 + np.exp(-raw))
    model = LogisticRegression(C=np.inf).fit(X, y)
    exact = LogisticRegression(C=np.inf, solver="newton", tol=1e-10).fit(X, y)
    assert objective(model, X, y, np.inf) <= objective(exact, X, y, np.inf) * (1 + 1e-6)
    assert model.n_iter_ <= 15
    assert exact.n_iter_ <= 9


def test_a_constant_column_has_no_coefficient():
    X = rows()
    X[:, 2] = 7.0
    model = LogisticRegression(C=np.inf).fit(X, labels(X))
    assert model.coef_[0, 2] == 0


def test_collinear_columns_share_their_weight():
    X = rows(n_features=2)
    y = labels(X)
    single = LogisticRegression(C=np.inf, solver="newton", tol=1e-9).fit(X, y)
    twice = LogisticRegression(C=np.inf, solver="newton", tol=1e-9).fit(np.hstack([X, X]), y)
    np.testing.assert_allclose(twice.coef_, np.tile(single.coef_, 2) / 2, rtol=1e-6)


def test_perfectly_separated_classes_are_warned_of():
    X = rows()
    y = X[:, 0] > 3
    with pytest.warns(ConvergenceWarning, match="perfectly separated"):
        model = LogisticRegression(C=np.inf).fit(X, y)
    assert model.score(X, y) == 1
    LogisticRegression(max_iter=1000).fit(X, y)


def test_too_few_steps_are_warned_of():
    X = rows()
    with pytest.warns(ConvergenceWarning, match=r"lbfgs did not converge within max_iter=2: "):
        model = LogisticRegression(max_iter=2).fit(X, labels(X))
    assert model.n_iter_ == 2


def test_diverging_steps_name_a_rate_that_works():
    X = 1000 * rows()
    model = LogisticRegression(C=1e-6, solver="gradient_descent", learning_rate=10.0)
    with pytest.raises(DivergenceError, match="learning_rate=10 is too large"):
        model.fit(X, labels(X))


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.zeros(200), "only one class: 0.0"),
        (["a"] * 200, "only one class: 'a'"),
        (np.linspace(0, 1, 200), "Unknown label type: continuous"),
    ],
)
def test_labels_that_are_none(y, words):
    with pytest.raises(DataError, match=words):
        LogisticRegression().fit(rows(), y)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"C": 0.0}, "'C'"),
        ({"l1_ratio": 1.5}, "l1_ratio"),
        ({"l1_ratio": 0.5, "solver": "newton"}, "no penalty with a share of L1"),
        ({"class_weight": "fair"}, "class_weight"),
        ({"class_weight": {7: 2.0}}, r"\[0, 1\], are not in class_weight"),
    ],
)
def test_bad_parameters(options, words):
    X = rows()
    with pytest.raises(ValueError, match=words):
        LogisticRegression(**options).fit(X, labels(X))
    assert issubclass(ParameterError, ValueError)


def test_sparse_rows():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(400, 20)) * (generator.random((400, 20)) < 0.2)
    y = labels(X, 3)
    expected = LogisticRegression(tol=1e-7).fit(X, y)
    found = LogisticRegression(tol=1e-7).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-5)


def test_labels_of_a_file(tmp_path):
    X = rows()
    y = np.array(["late", "early"])[labels(X)]
    path = parquet(tmp_path / "flights.parquet", X, arrival=y)
    found = LogisticRegression(class_weight={"late": 2.0}).fit(path, "arrival")
    expected = LogisticRegression(class_weight={"late": 2.0}).fit(X, y)
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    assert found.classes_.tolist() == ["early", "late"]


def test_a_class_of_dropped_rows_alone_is_none():
    X = rows()
    y = labels(X)
    X[:3, 0], y[:3] = np.nan, 2
    model = LogisticRegression().fit(open_dataset(X, target=y, missing="drop"))
    assert model.classes_.tolist() == [0, 1]


def test_a_warm_start_begins_where_the_last_fit_ended():
    X = rows()
    model = LogisticRegression(warm_start=True, tol=1e-6).fit(X, labels(X))
    assert model.set_params(tol=1e-5).fit(X, labels(X)).n_iter_ == 0
    assert model.fit(X, labels(X, 3)).n_iter_ > 0


class Listener(FitListener):
    def __init__(self, last=1000):
        self.losses, self.last = [], last

    def on_event(self, event):
        if isinstance(event, IterationEnded):
            self.losses.append(event.loss)
        return len(self.losses) >= self.last


def test_callbacks_hear_of_every_step_and_may_end_the_fit():
    X, listener = rows(), Listener()
    model = LogisticRegression().set_callbacks(listener).fit(X, labels(X))
    assert listener.losses == model.loss_curve_
    assert LogisticRegression().set_callbacks(Listener(2)).fit(X, labels(X)).n_iter_ == 2


def test_checkpoints_are_of_one_fit(tmp_path):
    X, path = rows(), tmp_path / "fit"
    with pytest.warns(ConvergenceWarning):
        LogisticRegression(max_iter=2).fit(X, labels(X), checkpoint=path)
    prolonged = LogisticRegression().fit(X, labels(X), checkpoint=path)
    whole = LogisticRegression().fit(X, labels(X))
    np.testing.assert_array_equal(prolonged.coef_, whole.coef_)
    assert prolonged.loss_curve_ == whole.loss_curve_
    with pytest.raises(CheckpointError, match="other parameters"):
        LogisticRegression(C=2.0).fit(X, labels(X), checkpoint=path)
    with pytest.raises(CheckpointError, match="other data"):
        LogisticRegression().fit(X + 1, labels(X), checkpoint=path)
