"""What the tests of generalised linear models share."""

import numpy as np
from sklearn.datasets import load_diabetes


def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X * 20, y


def assert_equals_scikit_learns(found, expected, weight=None, tol=1e-5):
    """`found`, whose tol is small, predicts and scores as scikit-learn's does."""
    X, y = diabetes()
    expected.set_params(tol=1e-10, max_iter=10_000, solver="newton-cholesky").fit(X, y, weight)
    found.fit(X, y, weight)
    scale = np.abs(expected.coef_).max()
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0, atol=tol * scale)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, rtol=tol)
    np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=tol)
    np.testing.assert_allclose(found.score(X, y), expected.score(X, y), rtol=tol)
