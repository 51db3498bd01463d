"""The parameters that a solver sees, and the linear model that they stand for."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from shoal._typing import Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    r"""One flat vector for the coefficients :math:`W` and what is predicted at the point m.

    A solver's parameters are :math:`U` of the shape of W, and :math:`v`, one an output where an
    intercept is fitted; they stand for

    .. math:: W = \sigma \odot U, \qquad b = \tau \odot v + W o

    where :math:`W (x - m) + b` is the raw prediction. With :math:`o = 0` the solver works about m;
    with :math:`o = m`, :math:`b` is what a solver that knows nothing of m would call it: there
    :math:`\tau v` is the intercept of the original columns.

    Parameters
    ----------
    scale : ndarray of shape (n_outputs, n_features), float64
        The scale :math:`\sigma`.
    intercept_scale : ndarray of shape (n_outputs,), float64
        The scale :math:`\tau`.
    offset : ndarray of shape (n_features,), float64
        The point :math:`o`.
    fit_intercept : bool
        Whether there are parameters v, or 0 in their place.
    """

    scale: Float64Array
    intercept_scale: Float64Array
    offset: Float64Array
    fit_intercept: bool

    @classmethod
    def original(cls, shift: Float64Array, n_outputs: int, fit_intercept: bool) -> Self:
        """Those of the textbook: coefficients and intercept themselves."""
        shape = (n_outputs, len(shift))
        return cls(np.ones(shape), np.ones(n_outputs), shift, fit_intercept)

    @classmethod
    def of_curvature(
        cls,
        shift: Float64Array,
        curvature: Float64Array,
        intercept_curvature: Float64Array,
        fit_intercept: bool,
    ) -> Self:
        """Those in which a Hessian of this diagonal becomes one of ones.

        `curvature`, of shape (n_outputs, n_features), is 0 for columns that change nothing.
        """
        offset = np.zeros(len(shift)) if fit_intercept else shift
        scale = 1 / np.sqrt(np.where(curvature > 0, curvature, 1.0))
        return cls(scale, 1 / np.sqrt(intercept_curvature), offset, fit_intercept)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the coefficients: (n_outputs, n_features)."""
        return self.scale.shape

    def model(self, parameters: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Coefficients W and the raw prediction b at the point m."""
        coef = self.scale * parameters[: self.scale.size].reshape(self.shape)
        intercept = (coef * self.offset).sum(axis=1)
        if self.fit_intercept:
            intercept += self.intercept_scale * parameters[self.scale.size :]
        return coef, intercept

    def parameters(self, coef: Float64Array, intercept: Float64Array) -> Float64Array:
        """The parameters of a model; without an intercept, `intercept` is not looked at."""
        scaled = (coef / self.scale).ravel()
        if not self.fit_intercept:
            return scaled
        free = intercept - (coef * self.offset).sum(axis=1)
        return np.concatenate([scaled, free / self.intercept_scale])

    def gradient(self, by_coef: Float64Array, by_intercept: Float64Array) -> Float64Array:
        """The gradient by the parameters, from those by W and b; any leading axes are kept.

        Parameters
        ----------
        by_coef : ndarray of shape (..., n_outputs, n_features)
        by_intercept : ndarray of shape (..., n_outputs)
        """
        by_scaled = self.scale * (by_coef + by_intercept[..., None] * self.offset)
        found = by_scaled.reshape(*by_coef.shape[:-2], -1)
        if not self.fit_intercept:
            return found
        return np.concatenate([found, self.intercept_scale * by_intercept], axis=-1)

    def hessian(self, of_model: Float64Array) -> Float64Array:
        """The Hessian by the parameters, from that by W (row after row) and b."""
        once = self._columns(of_model)
        return self._columns(np.ascontiguousarray(once.T))

    def _columns(self, rows: Float64Array) -> Float64Array:
        """Each row, a gradient by W and b, as a gradient by the parameters."""
        by_coef = rows[:, : self.scale.size].reshape(-1, *self.shape)
        return self.gradient(by_coef, rows[:, self.scale.size :])
