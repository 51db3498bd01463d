"""The conformance suite of objectives."""

from itertools import pairwise, permutations

import numpy as np

from shoal._typing import Float64Array
from shoal.solvers.objective import Evaluation, Objective
from shoal.solvers.solver import Fold

#: A short way from one point to another, as a share of the whole.
_SHORT = 1e-4
#: Steps of a proximal step.
_STEPS = (0.1, 1.0, 10.0)


def check_objective(
    objective: Objective, fold: Fold, points: Float64Array, *, rtol: float = 1e-9
) -> None:
    """Check that an objective keeps the promises of `Objective`, among some points.

    The same point gives the same bits and is left as it was. f is convex and lies above its
    tangents, between all points and over short steps, which gradients of anything else do not
    survive; its Hessian is symmetric, without negative curvature, and tells how gradients change.
    A proximal step reaches the one minimum it stands for.

    Parameters
    ----------
    objective : Objective
        What is checked.
    fold : callable
        One pass over its data.
    points : ndarray of shape (n_points, n_parameters), float64
        Two or more; passes grow with the square of their number.
    rtol : float, default=1e-9
        Rounding of a value, relative to the values compared.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.
    """
    found = [_checked(objective, point, fold) for point in points]
    for (a, at_a), (b, at_b) in permutations(zip(points, found, strict=True), 2):
        _check_tangent(at_a, at_b, b - a, rtol)
        near = a + _SHORT * (b - a)
        at_near = objective.evaluate(near, fold)
        _check_tangent(at_a, at_near, near - a, rtol)
        _check_tangent(at_near, at_a, a - near, rtol)
    for a, b in pairwise(points):
        _check_hessian(objective, a, b - a, fold)
    _check_prox(objective, points)


def _checked(objective: Objective, point: Float64Array, fold: Fold) -> Evaluation:
    """What `evaluate` gives, having checked that it is pure."""
    given = point.copy()
    found, again = objective.evaluate(given, fold), objective.evaluate(given, fold)
    assert (given == point).all(), "evaluate changes the parameters"
    assert found.value == again.value, "the same parameters give another value"
    assert (found.gradient == again.gradient).all(), "the same parameters give another gradient"
    assert found.gradient.shape == point.shape, "the gradient is not of the parameters' shape"
    return found


def _check_tangent(at_a: Evaluation, at_b: Evaluation, way: Float64Array, rtol: float) -> None:
    rise, slope = at_b.value - at_a.value, at_a.gradient @ way
    slack = rtol * (abs(at_a.value) + abs(at_b.value) + np.abs(at_a.gradient * way).sum())
    assert slope <= rise + slack, f"f rises by {rise:g}, less than its tangent's {slope:g}"


def _check_hessian(
    objective: Objective, point: Float64Array, way: Float64Array, fold: Fold
) -> None:
    at = objective.evaluate_hessian(point, fold)
    assert at.hessian is not None, "evaluate_hessian gives no Hessian"
    _check_semidefinite(at.hessian, "the Hessian")
    _check_semidefinite(objective.sampled_hessian(point, fold), "the sampled Hessian")
    ends = [objective.evaluate(point + sign * _SHORT * way, fold).gradient for sign in (-1, 1)]
    change = (ends[1] - ends[0]) / (2 * _SHORT)
    size = np.abs(at.hessian) @ np.abs(way)
    assert np.allclose(at.hessian @ way, change, rtol=0, atol=1e-3 * size.max(initial=1e-300)), (
        "the Hessian does not tell how gradients change"
    )


def _check_semidefinite(matrix: Float64Array, name: str) -> None:
    rounding = 1e-9 * np.abs(matrix).sum(axis=0).max(initial=0.0)
    assert (np.abs(matrix - matrix.T) <= rounding).all(), f"{name} is not symmetric"
    assert (np.linalg.eigvalsh(matrix) >= -rounding).all(), f"{name} has negative curvature"


def _check_prox(objective: Objective, points: Float64Array) -> None:
    r"""The proximal step's function is strongly convex: it rises by half the squared distance.

    Compared at proximal steps, as these are where g is finite.
    """
    for step in _STEPS:
        reached = [objective.prox(point, step) for point in points]
        for point, v in zip(points, reached, strict=True):
            least = _proximal_value(objective, v, point, step)
            for u in reached:
                value, rise = _proximal_value(objective, u, point, step), ((u - v) ** 2).sum() / 2
                slack = 1e-9 * (abs(value) + abs(least))
                assert least + rise <= value + slack, f"a better proximal step than at {step:g}"


def _proximal_value(
    objective: Objective, v: Float64Array, point: Float64Array, step: float
) -> float:
    return float(((v - point) ** 2).sum() / 2 + step * objective.penalty_value(v))
