"""The conformance suite of losses."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from shoal._typing import AnyArray, Float64Array
from shoal.losses.loss import Loss

#: Half of what a raw prediction is moved by, and the points in between.
_STEP = 1e-4
_BETWEEN = np.linspace(-_STEP, _STEP, 9)

#: Errors of a difference quotient, beside the values that it is of.
_ROUNDING = 64 * np.finfo(np.float64).eps / _STEP

#: Raw predictions at which an exponential overflows unless care is taken.
_FAR = (1e3, -1e3)


def check_loss(loss: Loss, y: AnyArray, raw: Float64Array) -> None:
    """Check that a loss keeps the promises of `Loss`, at some targets and raw predictions.

    The gradient is the slope of the value, and where it is continuous the hessian the slope of
    the gradient: a mean slope over a short step lies among the slopes along it (the mean value
    theorem, which holds at corners too). Bounds are kept, everything stays finite at raw
    predictions of +-1e3, predictions rise with raw ones, and the loss is an immutable value that
    can be pickled.

    Parameters
    ----------
    loss : Loss
        What is checked.
    y : ndarray of shape (n_rows,)
        Targets in the domain of the loss.
    raw : ndarray of shape (n_rows,) or, for a multinomial loss, (n_rows, n_classes)
        Raw predictions, no further than about 30 from 0: of which slopes are taken.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.

    Examples
    --------
    >>> import numpy as np
    >>> from shoal.losses import Huber
    >>> from shoal.testing import check_loss
    >>> check_loss(Huber(1.0), y=np.array([0.0, 2.0]), raw=np.array([0.5, -3.0]))
    """
    loss.check_target(y)
    copy = pickle.loads(pickle.dumps(loss))
    assert copy == loss, "a pickled loss is another one"
    assert hash(copy) == hash(loss), "a pickled loss has another hash"
    assert loss.value(y, raw).shape == y.shape, "there is not one value a row"
    assert loss.gradient(y, raw).shape == raw.shape, "the gradient is not of the shape of raw"
    assert loss.hessian(y, raw).shape == raw.shape, "the hessian is not of the shape of raw"
    for direction in _directions(loss, raw):
        _check_slopes(loss.value, loss.gradient, y, raw, direction, "gradient")
        if loss.is_smooth:
            _check_slopes(loss.gradient, loss.hessian, y, raw, direction, "hessian")
    _check_bounds(loss, y, raw)
    for far in _FAR:
        _check_finite(loss, y, np.full_like(raw, far))
    if not loss.is_multinomial:
        rising = np.diff(loss.inverse_link(np.sort(raw)))
        assert (rising >= 0).all(), "predictions fall where raw predictions rise"


def _directions(loss: Loss, raw: Float64Array) -> Float64Array:
    """Unit steps of one raw prediction: (1,), or (n_classes, n_classes)."""
    return np.eye(raw.shape[1]) if loss.is_multinomial else np.ones(1)


def _along(values: Float64Array, direction: Any) -> Float64Array:
    """Values of rows, or the derivatives by the one raw prediction that moves: shape (n_rows,)."""
    return values @ direction if values.ndim == 2 else values


def _check_slopes(
    function: Callable[[AnyArray, Float64Array], Float64Array],
    derivative: Callable[[AnyArray, Float64Array], Float64Array],
    y: AnyArray,
    raw: Float64Array,
    direction: Any,
    name: str,
) -> None:
    """Mean slopes of `function` over short steps must lie among those that `derivative` gives."""
    low, high = (_along(function(y, raw + at * direction), direction) for at in (-_STEP, _STEP))
    mean = (high - low) / (2 * _STEP)
    slopes = np.array([_along(derivative(y, raw + at * direction), direction) for at in _BETWEEN])
    slack = _ROUNDING * (np.abs(low) + np.abs(high) + np.abs(raw).max() + 1)
    right = (mean >= slopes.min(axis=0) - slack) & (mean <= slopes.max(axis=0) + slack)
    assert right.all(), f"the {name} is not the slope at y={y[~right][0]}, raw={raw[~right][0]}"


def _check_bounds(loss: Loss, y: AnyArray, raw: Float64Array) -> None:
    if loss.gradient_bound is not None:
        largest = np.abs(loss.gradient(y, raw)).max()
        assert largest <= loss.gradient_bound, f"a gradient of {largest} is over its bound"
    hessian = loss.hessian(y, raw)
    if loss.curvature_bound is not None:
        assert hessian.max() <= loss.curvature_bound, "a second derivative is over its bound"
    assert loss.has_hessian or not hessian.any(), "there is a hessian, but has_hessian is False"


def _check_finite(loss: Loss, y: AnyArray, raw: Float64Array) -> None:
    for part in (loss.value(y, raw), loss.gradient(y, raw), loss.hessian(y, raw)):
        assert np.isfinite(part).all(), f"not finite at raw predictions of {raw.flat[0]:g}"
    assert np.isfinite(loss.inverse_link(raw)).all(), f"no prediction at {raw.flat[0]:g}"
