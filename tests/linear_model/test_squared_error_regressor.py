"""What models of squared error share: shapes, solvers by shape, paths."""

import numpy as np
import pytest
import sklearn.linear_model
from tests.linear_model.models import amounts, parquet, rows

from shoal.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from shoal.linear_model import squared_error_regressor as regressor


@pytest.mark.parametrize(
    ("model", "narrow", "wide"),
    [
        (LinearRegression(), "gram", "lbfgs"),
        (LinearRegression(positive=True), "gram", "nesterov"),
        (Lasso(0.1), "gram", "nesterov"),
        (LinearRegression(solver="newton"), "newton", "newton"),
    ],
)
@pytest.mark.parametrize("is_wide", [False, True])
def test_solvers_are_chosen_by_shape(model, narrow, wide, is_wide, monkeypatch):
    if is_wide:
        monkeypatch.setattr(regressor, "MOST_GRAM_FEATURES", 3)
    X = rows()
    assert model.fit(X, amounts(X)).solver_ == (wide if is_wide else narrow)


def test_shapes():
    X = rows()
    y = amounts(X)
    flat = Ridge(alphas=[1.0, 2.0]).fit(X, y)
    assert flat.coef_.shape == (4,)
    assert isinstance(flat.intercept_, float)
    assert flat.coef_path_.shape == (2, 4)
    assert flat.intercept_path_.shape == (2,)
    wide = Ridge(alphas=[1.0, 2.0]).fit(X, np.column_stack([y, y, y]))
    assert wide.coef_.shape == (3, 4)
    assert wide.intercept_.shape == (3,)
    assert wide.coef_path_.shape == (2, 3, 4)
    assert wide.intercept_path_.shape == (2, 3)


@pytest.mark.parametrize("cls", [LinearRegression, Ridge, Lasso, ElasticNet])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_targets", [None, 1, 2])
def test_shapes_are_those_of_scikit_learn(cls, fit_intercept, n_targets):
    X = rows()
    y = amounts(X) if n_targets is None else np.column_stack([amounts(X)] * n_targets)
    peer = getattr(sklearn.linear_model, cls.__name__)(fit_intercept=fit_intercept, tol=1e-9).fit(
        X, y
    )
    model = cls(fit_intercept=fit_intercept, tol=1e-9).fit(X, y)
    assert model.coef_.shape == peer.coef_.shape
    assert isinstance(model.intercept_, float) == isinstance(peer.intercept_, float)
    assert np.shape(model.intercept_) == np.shape(peer.intercept_)
    assert model.predict(X).shape == peer.predict(X).shape
    assert model.score(X, y) == pytest.approx(peer.score(X, y), abs=1e-6)


def test_features_by_name(tmp_path):
    X = rows()
    path = parquet(tmp_path / "rows.parquet", X, y=amounts(X))
    found = Ridge().fit(path, "y", features=["x2", "x0"])
    expected = Ridge().fit(X[:, [2, 0]], amounts(X))
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    np.testing.assert_array_equal(found.predict(path), expected.predict(X[:, [2, 0]]))
