"""SGDRegressor: the textbook's loop, scikit-learn's contract and answers."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import linear_model
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.estimator_checks import parametrize_with_checks

from shoal import load_model, open_dataset, save_model
from shoal.exceptions import DataError, DivergenceError, NonFiniteError, ParameterError, SchemaError
from shoal.linear_model import SGDRegressor

A_STEP_EACH = (
    "a row that weighs twice is one step of twice the length, a repeated one is two steps: "
    "scikit-learn's SGD fails this check for the same reason"
)
EXPECTED_FAILURES = dict.fromkeys(
    (
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    ),
    A_STEP_EACH,
)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [SGDRegressor(max_iter=20)], expected_failed_checks=lambda estimator: EXPECTED_FAILURES
)
def test_scikit_learns_contract(estimator, check):
    check(estimator)


rng = np.random.default_rng(0)
X = rng.normal(size=(500, 5))
y = X @ [1.0, -2.0, 0.0, 3.0, 0.5] + 0.1 * rng.normal(size=500)


@pytest.mark.parametrize("n_epochs", [1, 3])
def test_is_the_textbooks_loop(n_epochs):
    """One sample at a time, theta <- theta - eta (x' theta - y) x, x with a leading 1."""
    model = SGDRegressor(
        penalty=None,
        learning_rate="constant",
        eta0=0.01,
        shuffle=False,
        max_iter=n_epochs,
        tol=None,
    ).fit(X, y)
    design, theta = np.hstack([np.ones((len(X), 1)), X]), np.zeros(6)
    for _ in range(n_epochs):
        for x, target in zip(design, y, strict=True):
            theta = theta - 0.01 * (x @ theta - target) * x
    np.testing.assert_allclose([*model.intercept_, *model.coef_], theta, rtol=1e-12)
    assert model.t_ == n_epochs * len(X) + 1


@pytest.mark.parametrize("loss", ["squared_error", "huber", "epsilon_insensitive"])
@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet", None])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_file_order_gives_scikit_learns_path(loss, penalty, form):
    common = {"loss": loss, "penalty": penalty, "alpha": 0.01, "shuffle": False, "tol": None}
    # scikit-learn's average with L1 is of no steps: it takes truncations from all earlier ones.
    common |= {"max_iter": 3, "average": 700 if penalty in ("l2", None) else False}
    theirs = linear_model.SGDRegressor(**common).fit(form(X), y)
    ours = SGDRegressor(**common).fit(form(X), y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-6)


def test_agrees_with_scikit_learn_on_diabetes():
    data = load_diabetes()
    X, y = StandardScaler().fit_transform(data.data), scale(data.target)
    for settings in ({}, {"loss": "huber", "epsilon": 1.0}, {"early_stopping": True}):
        theirs = linear_model.SGDRegressor(random_state=0, **settings).fit(X, y).score(X, y)
        ours = SGDRegressor(random_state=0, **settings).fit(X, y).score(X, y)
        assert abs(ours - theirs) < 0.01


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("sgd", 0.05), ("momentum", 0.01), ("adagrad", 0.3), ("adam", 0.02)]
)
def test_optimizers_reach_the_solution(optimizer, rate):
    model = SGDRegressor(
        penalty=None,
        learning_rate="constant",
        eta0=rate,
        batch_size=20,
        optimizer=optimizer,
        max_iter=60,
        tol=None,
        random_state=0,
    ).fit(X, y)
    np.testing.assert_allclose(model.coef_, [1, -2, 0, 3, 0.5], atol=0.03)


def test_replicas_reach_the_solution():
    many = np.tile(X, (300, 1)) + 0.1 * rng.normal(size=(150_000, 5))
    target = many @ [1.0, -2.0, 0.0, 3.0, 0.5]
    for n_replicas in (1, 2, 3):
        model = SGDRegressor(n_replicas=n_replicas, random_state=0).fit(many, target)
        np.testing.assert_allclose(model.coef_, [1, -2, 0, 3, 0.5], atol=0.01)


def test_partial_fits_are_epochs():
    settings = {"shuffle": False, "average": 10, "penalty": "l2"}
    whole = SGDRegressor(max_iter=2, tol=None, **settings).fit(X, y)
    parts = SGDRegressor(**settings)
    for _ in range(2):
        parts.partial_fit(X[:200], y[:200]).partial_fit(X[200:], y[200:])
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-13)
    assert parts.t_ == whole.t_ == 1001


def test_warm_start_begins_where_the_last_fit_ended():
    cold = SGDRegressor(random_state=0).fit(X, y)
    warm = SGDRegressor(random_state=0, warm_start=True).fit(X, y)
    first = warm.loss_curve_[0]
    warm.fit(X, y)
    assert warm.loss_curve_[0] < first / 10
    given = SGDRegressor(random_state=0).fit(X, y, cold.coef_, cold.intercept_)
    np.testing.assert_array_equal(given.coef_, warm.coef_)


def test_keeps_the_type_of_the_data():
    model = SGDRegressor(shuffle=False).fit(X.astype(np.float32), y)
    assert model.coef_.dtype == np.float32
    np.testing.assert_allclose(model.coef_, SGDRegressor(shuffle=False).fit(X, y).coef_, atol=3e-4)


def test_early_stopping_on_rows_that_are_given():
    model = SGDRegressor(random_state=0, early_stopping=True)
    given = model.fit(X[:400], y[:400], validation=(X[400:], y[400:]))
    assert given.score(X[400:], y[400:]) > 0.99
    dataset = open_dataset(X[400:], target=y[400:])
    again = SGDRegressor(random_state=0, early_stopping=True).fit(
        X[:400], y[:400], validation=dataset
    )
    np.testing.assert_array_equal(again.coef_, given.coef_)


def test_is_saved_whole(tmp_path):
    model = SGDRegressor(random_state=0, average=True).partial_fit(X, y)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.partial_fit(X, y).coef_, model.partial_fit(X, y).coef_)


def test_divergence_is_told():
    with pytest.raises(DivergenceError, match=r"eta0=0\.01 .*too large.*eta0=\d"):
        SGDRegressor(random_state=0).fit(1e100 * X, y)
    with pytest.warns(ConvergenceWarning, match=r"diverges.*eta0=\d"):
        SGDRegressor(random_state=0, max_iter=5).fit(100 * X, y)


def test_too_few_epochs_are_told():
    with pytest.warns(ConvergenceWarning, match="Maximum number of iteration reached"):
        SGDRegressor(max_iter=1, random_state=0).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"loss": "hinge"}, "'loss' parameter of SGDRegressor"),
        ({"penalty": "l3"}, "'penalty' parameter"),
        ({"learning_rate": "fast"}, "'learning_rate' parameter"),
        ({"optimizer": "lbfgs"}, "'optimizer' parameter"),
        ({"alpha": -1}, "'alpha' parameter"),
        ({"eta0": 0}, "eta0 must be > 0"),
        ({"alpha": 0, "learning_rate": "optimal"}, "alpha must be > 0"),
        ({"penalty": "elasticnet", "l1_ratio": 2}, r"l1_ratio must lie in \[0, 1\]"),
        ({"early_stopping": True, "validation_fraction": 1}, r"must lie in \(0, 1\)"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"n_replicas": 0}, "'n_replicas' parameter"),
        ({"average": -1}, "'average' parameter"),
        ({"average": 2.5}, "'average' parameter"),
        ({"average": "yes"}, "'average' parameter"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        SGDRegressor(**parameters).fit(X, y)


def test_bad_targets_are_refused():
    with pytest.raises(NonFiniteError, match="row 3"):
        SGDRegressor().fit(X, np.where(np.arange(500) == 3, np.nan, y))
    with pytest.raises(SchemaError, match="y must be numbers"):
        SGDRegressor().fit(X, np.full(500, "a"))
    with pytest.raises(DataError, match="coef_init has shape"):
        SGDRegressor().fit(X, y, coef_init=np.ones(3))
    with pytest.raises(ParameterError, match="early_stopping should be False"):
        SGDRegressor(early_stopping=True).partial_fit(X, y)
