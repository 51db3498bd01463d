"""Fits of squared error: which sums are taken, paths, checkpoints."""

import numpy as np
import pytest
from tests.linear_model.models import amounts, rows

from shoal.callbacks import FitEnded, FitListener
from shoal.linear_model import Lasso, Ridge
from shoal.linear_model import squared_error_fit as fitting


class Rows(FitListener):
    """Rows read by a fit."""

    def on_event(self, event):
        if isinstance(event, FitEnded):
            self.n_rows = event.n_rows


def passes(model, X, y):
    listener = Rows()
    model.set_callbacks(listener).fit(X, y)
    return listener.n_rows / len(X)


@pytest.mark.parametrize("solver", ["gram", "lbfgs", "newton"])
def test_no_solver_reads_rows_again(solver):
    X = rows()
    model = Ridge(solver=solver, alphas=[0.1, 1.0, 10.0], tol=1e-6)
    assert passes(model, X, amounts(X)) == 2


def test_wide_rows_are_read_in_each_step(monkeypatch):
    monkeypatch.setattr(fitting, "MOST_GRAM_FEATURES", 3)
    X = rows()
    model = Ridge(solver="lbfgs")
    assert passes(model, X, amounts(X)) == 2 + 1 + model.n_iter_


def test_a_path_goes_from_strong_to_weak_whatever_its_order():
    X = rows()
    y = amounts(X)
    one = Lasso(alphas=[0.01, 1.0, 0.1]).fit(X, y)
    other = Lasso(alphas=[1.0, 0.1, 0.01]).fit(X, y)
    np.testing.assert_array_equal(one.coef_path_[[1, 2, 0]], other.coef_path_)
    np.testing.assert_array_equal(one.intercept_path_[[1, 2, 0]], other.intercept_path_)


def test_each_descent_has_a_checkpoint_of_its_own(tmp_path):
    X = rows()
    y = amounts(X)
    model = Ridge(solver="lbfgs", alphas=[0.1, 1.0]).fit(X, y, checkpoint=tmp_path / "fit")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit", "fit.1", "fit.2"]
    again = Ridge(solver="lbfgs", alphas=[0.1, 1.0]).fit(X, y, checkpoint=tmp_path / "fit")
    np.testing.assert_array_equal(again.coef_path_, model.coef_path_)
