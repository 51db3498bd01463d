"""Coordinates of solvers: round trips, and gradients against differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.linear_model.coordinates import Coordinates

SHIFT = np.array([1.0, -2.0, 0.5])


def coordinates(fit_intercept, kind="curvature", n_outputs=2):
    if kind == "original":
        return Coordinates.original(SHIFT, n_outputs, fit_intercept)
    generator = np.random.default_rng(0)
    curvature = generator.uniform(0.1, 9, (n_outputs, 3))
    return Coordinates.of_curvature(SHIFT, curvature, np.arange(1.0, n_outputs + 1), fit_intercept)


each = pytest.mark.parametrize("fit_intercept", [True, False])
each_kind = pytest.mark.parametrize("kind", ["original", "curvature"])


@each
@each_kind
def test_parameters_and_models_are_each_others(fit_intercept, kind):
    found = coordinates(fit_intercept, kind)
    parameters = np.arange(1.0, 9.0 if fit_intercept else 7.0)
    model = found.model(parameters)
    np.testing.assert_allclose(found.parameters(*model), parameters, rtol=1e-13)


def test_original_parameters_are_coefficients_and_intercept():
    coef, at_shift = coordinates(True, "original").model(np.arange(1.0, 9.0))
    np.testing.assert_array_equal(coef, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_allclose(at_shift - coef @ SHIFT, [7, 8])


@each_kind
def test_without_an_intercept_rows_of_zeros_predict_zero(kind):
    coef, at_shift = coordinates(False, kind).model(np.arange(1.0, 7.0))
    np.testing.assert_allclose(at_shift - coef @ SHIFT, 0, atol=1e-14)


@each
@each_kind
@given(seed=st.integers(0, 100))
def test_gradient_and_hessian_are_by_the_parameters(fit_intercept, kind, seed):
    """Of a parabola ``m'Hm / 2`` of the model m, W row after row and then b."""
    found, generator = coordinates(fit_intercept, kind), np.random.default_rng(seed)
    H = generator.normal(size=(8, 8))
    H = H @ H.T

    def flat(parameters):
        return np.concatenate([part.ravel() for part in found.model(parameters)])

    parameters = generator.normal(size=8 if fit_intercept else 6)
    jacobian = np.stack([flat(unit) for unit in np.eye(len(parameters))], axis=1)
    slope = H @ flat(parameters)
    gradient = found.gradient(slope[:6].reshape(2, 3), slope[6:])
    np.testing.assert_allclose(gradient, jacobian.T @ slope, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.hessian(H), jacobian.T @ H @ jacobian, rtol=1e-9, atol=1e-9)


def test_a_hessian_of_the_given_diagonal_becomes_one_of_ones():
    found = coordinates(True)
    diagonal = np.concatenate([1 / found.scale.ravel() ** 2, [1.0, 2.0]])
    np.testing.assert_allclose(found.hessian(np.diag(diagonal)), np.eye(8), rtol=1e-14)


def test_columns_that_change_nothing_keep_their_scale():
    curvature = np.array([[4.0, 0.0, 1.0]])
    found = Coordinates.of_curvature(SHIFT, curvature, np.ones(1), True)
    np.testing.assert_array_equal(found.scale, [[0.5, 1.0, 1.0]])
