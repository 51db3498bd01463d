"""Linear regression against scikit-learn's, closed forms, and the textbook's loop."""

import numpy as np
import pytest
import sklearn.linear_model
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes
from tests.linear_model.models import amounts, rows, weights

from shoal.exceptions import DataError, DivergenceError, ParameterError, SchemaError
from shoal.linear_model import LinearRegression
from shoal.linear_model import squared_error_fit as fitting


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_equals_scikit_learns_on_real_data(fit_intercept, weighted, positive):
    X, y = load_diabetes(return_X_y=True)
    weight = weights(len(X)) if weighted else None
    options = {"fit_intercept": fit_intercept, "positive": positive}
    expected = sklearn.linear_model.LinearRegression(**options).fit(X, y, weight)
    found = LinearRegression(**options).fit(X, y, weight)
    scale = np.abs(expected.coef_).max()
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0, atol=1e-11 * scale)
    assert found.intercept_ == pytest.approx(expected.intercept_, rel=1e-11, abs=1e-12)
    assert (found.solver_, found.n_iter_) == ("gram", 1)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 8), st.floats(-1e4, 1e4))
def test_equals_scikit_learns(seed, n_features, offset):
    X = rows(60, n_features, seed=seed, offset=offset)
    y = amounts(X, seed)
    expected = sklearn.linear_model.LinearRegression().fit(X, y)
    found = LinearRegression().fit(X, y)
    np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_float32_keeps_its_digits(offset):
    X = rows(5000, 6, np.float32, offset=offset)
    y = amounts(X)
    expected = sklearn.linear_model.LinearRegression().fit(X.astype(np.float64), y)
    found = LinearRegression().fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-4, atol=1e-5)


def test_means_far_from_the_middle_of_the_range():
    generator = np.random.default_rng(0)
    X = generator.lognormal(0, 2, size=(3000, 3)).astype(np.float32)
    y = X @ [1.0, 2.0, 3.0] + generator.normal(size=3000)
    expected = sklearn.linear_model.LinearRegression().fit(X.astype(np.float64), y)
    np.testing.assert_allclose(LinearRegression().fit(X, y).coef_, expected.coef_, rtol=1e-4)


def test_collinear_and_constant_columns_take_the_least_norm():
    X = rows()
    y = amounts(X)
    wide = np.column_stack([X, X[:, 0], X[:, 1] + 2 * X[:, 2], np.full(200, 7.0)])
    expected = sklearn.linear_model.LinearRegression().fit(wide, y)
    found = LinearRegression().fit(wide, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-8)
    assert found.coef_[-1] == 0


def test_fewer_rows_than_columns():
    X = rows(5, 12)
    y = amounts(X)
    expected = sklearn.linear_model.LinearRegression().fit(X, y)
    found = LinearRegression().fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-7)
    np.testing.assert_allclose(found.predict(X), y, rtol=1e-8)


def test_several_targets():
    X = rows()
    y = np.column_stack([amounts(X), amounts(X, seed=2), X[:, 0]])
    expected = sklearn.linear_model.LinearRegression().fit(X, y)
    found = LinearRegression().fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-9)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, atol=1e-9)
    np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=1e-10)


def textbook(X, y, rate, n_steps):
    """Batch gradient descent: theta <- theta - alpha / m X'(X theta - y)."""
    X = np.column_stack([np.ones(len(X)), X])
    m, theta = len(X), np.zeros(X.shape[1])
    for _ in range(n_steps):
        theta = theta - rate / m * X.T @ (X @ theta - y)
    return theta


@pytest.mark.filterwarnings("ignore:gradient_descent did not converge")
@pytest.mark.parametrize("by_rows", [False, True])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 10, 200])
def test_gradient_descent_is_the_textbooks(n_steps, by_rows, monkeypatch):
    if by_rows:
        monkeypatch.setattr(fitting, "MOST_GRAM_FEATURES", 0)
    X = rows(100, 3, offset=1.0)
    y = amounts(X)
    model = LinearRegression(
        solver="gradient_descent", learning_rate=0.02, max_iter=n_steps, tol=0.0
    ).fit(X, y)
    theta = textbook(X, y, 0.02, n_steps)
    np.testing.assert_allclose([model.intercept_, *model.coef_], theta, rtol=1e-10, atol=1e-12)
    assert model.n_iter_ == n_steps
    before = textbook(X, y, 0.02, n_steps - 1)
    residual = y - before[0] - X @ before[1:]
    assert model.loss_curve_[-1] == pytest.approx((residual**2).mean() / 2, rel=1e-10)


@pytest.mark.parametrize("by_rows", [False, True])
@pytest.mark.parametrize("solver", ["lbfgs", "newton", "nesterov", "gradient_descent"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_solvers_agree(solver, by_rows, fit_intercept, monkeypatch):
    X = rows()
    y = np.column_stack([amounts(X), X[:, 1] - X[:, 2]])
    expected = LinearRegression(fit_intercept=fit_intercept).fit(X, y)
    if by_rows:
        monkeypatch.setattr(fitting, "MOST_GRAM_FEATURES", 0)
        y = y[:, 0] if solver == "newton" else y
    found = LinearRegression(
        solver=solver, tol=1e-9, max_iter=20_000, fit_intercept=fit_intercept
    ).fit(X, y)
    expected_coef = expected.coef_[0] if y.ndim == 1 else expected.coef_
    np.testing.assert_allclose(found.coef_, expected_coef, atol=1e-6)
    assert len(found.loss_curve_) == found.n_iter_


def test_diverging_steps_name_a_rate_that_works():
    X = rows()
    y = amounts(X)
    model = LinearRegression(solver="gradient_descent", learning_rate=1.0, max_iter=1000)
    with pytest.raises(
        DivergenceError, match=r"learning_rate=1 .* a rate of (\S+) is safe"
    ) as found:
        model.fit(X, y)
    assert not hasattr(model, "coef_")
    rate = float(str(found.value).split("a rate of ")[1].split()[0])
    curve = model.set_params(learning_rate=rate, max_iter=20_000, tol=1e-3).fit(X, y).loss_curve_
    assert np.all(np.diff(curve) <= 1e-12 * curve[0])


def test_bad_input(tmp_path):
    X = rows()
    with pytest.raises(SchemaError, match="numbers for a regressor"):
        LinearRegression().fit(X, ["a"] * 200)
    with pytest.raises(DataError, match="inconsistent numbers of samples"):
        LinearRegression().fit(X, np.ones(3))
    with pytest.raises(ParameterError, match="cannot keep coefficients from being negative"):
        LinearRegression(positive=True, solver="lbfgs").fit(X, amounts(X))
    with pytest.raises(DataError, match="sample_weight is all zero"):
        LinearRegression().fit(X, amounts(X), np.zeros(200))
