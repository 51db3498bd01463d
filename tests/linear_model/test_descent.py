"""Which solver descends, and how its fit ends."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from tests.solvers.objectives import counted, parabola

from shoal.callbacks import FitProgress
from shoal.exceptions import ParameterError
from shoal.linear_model import LinearRegression
from shoal.linear_model.descent import SMOOTH_SOLVERS, Descent, check_learning_rate


def descend(solver, *, max_iter=5000, learning_rate="backtracking", attributes=dict):
    descent, problem = Descent(solver, max_iter, 1e-6, learning_rate), parabola()
    found = descent.run(
        problem, np.zeros(5), counted(), None, FitProgress("test"), lambda _: attributes()
    )
    return found, np.linalg.solve(problem.A, problem.c)


@pytest.mark.parametrize("learning_rate", ["backtracking", 0.05])
@pytest.mark.parametrize("solver", SMOOTH_SOLVERS)
def test_every_solver_gets_there(solver, learning_rate):
    found, expected = descend(solver, learning_rate=learning_rate)
    np.testing.assert_allclose(found.parameters, expected, atol=1e-6)
    assert len(found.loss_curve) == found.n_iter
    is_textbook = Descent(solver, 1, 0.0, learning_rate).is_textbook
    assert is_textbook == (solver == "gradient_descent" and learning_rate == 0.05)


@pytest.mark.parametrize("solver", ["gradient_descent", "nesterov", "lbfgs"])
def test_too_few_steps_are_warned_of_with_their_number(solver):
    with pytest.warns(ConvergenceWarning, match=rf"{solver} did not .* max_iter=3: .* tol=1e-06"):
        found, _ = descend(solver, max_iter=3)
    assert found.n_iter == 3


@pytest.mark.parametrize("bad", [0, -1.0, np.inf, np.nan, "fast", True, None])
def test_bad_rates(bad):
    with pytest.raises(ParameterError, match="learning_rate"):
        check_learning_rate(LinearRegression(learning_rate=bad))


@pytest.mark.parametrize("good", [1, 0.5, np.float64(0.5), "backtracking"])
def test_good_rates(good):
    check_learning_rate(LinearRegression(learning_rate=good))
