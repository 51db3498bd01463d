"""What a loss is: the seam between models and what they minimise."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array
from shoal.exceptions import DataError


class Loss(ABC):
    """A loss of one row, as a function of its target and its raw prediction.

    A raw prediction is what a linear model computes, before any link. Losses are immutable and
    picklable; names and factors are scikit-learn's, and terms that do not depend on the raw
    prediction are left out as scikit-learn leaves them out. All values come from the kernels that
    passes over data use, so they are the same to the last bit.

    Attributes
    ----------
    is_smooth : bool
        Whether the gradient is continuous.
    has_hessian : bool
        Whether the second derivative says something: it is positive somewhere.
    is_multinomial : bool
        Whether the loss takes a class number and the raw predictions of all classes.
    labels : (float, float) or None
        The targets of the two classes, for a loss of binary classification.
    """

    is_smooth: ClassVar[bool] = True
    has_hessian: ClassVar[bool] = True
    is_multinomial: ClassVar[bool] = False
    labels: ClassVar[tuple[float, float] | None] = None

    @property
    @abstractmethod
    def kernel(self) -> tuple[str, float]:
        """Name and parameter of the loss among the kernels."""

    @property
    def gradient_bound(self) -> float | None:
        """The largest possible magnitude of the gradient; None where there is none."""
        return None

    @property
    def curvature_bound(self) -> float | None:
        """The largest possible second derivative; None where there is none."""
        return None

    def value(self, y: ArrayLike, raw: ArrayLike) -> Float64Array:
        """Loss of each row, shape (n_rows,); shape of ``raw``, but for multinomial losses."""
        return self._terms(y, raw)[0]

    def gradient(self, y: ArrayLike, raw: ArrayLike) -> Float64Array:
        """First derivative with respect to each raw prediction, shape of ``raw``."""
        return self._terms(y, raw)[1]

    def hessian(self, y: ArrayLike, raw: ArrayLike) -> Float64Array:
        """Second derivative with respect to each raw prediction, shape of ``raw``."""
        return self._terms(y, raw)[2]

    def inverse_link(self, raw: ArrayLike) -> Float64Array:
        """Prediction in the units of the target, shape of ``raw``."""
        return np.array(raw, dtype=np.float64)

    def check_target(self, y: AnyArray) -> None:
        """Raise DataError unless all targets are in the domain of the loss."""
        if self.labels is not None and not np.isin(y, self.labels).all():
            raise DataError(
                f"{type(self).__name__} needs targets of {self.labels[0]:g} and "
                f"{self.labels[1]:g}, got {np.setdiff1d(y, self.labels)[0]}. Encode the classes."
            )

    def _terms(
        self, y: ArrayLike, raw: ArrayLike
    ) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Value, gradient and hessian, each of the shape of `raw`."""
        raw = np.asarray(raw, dtype=np.float64)
        target = np.broadcast_to(np.asarray(y, dtype=np.float64), raw.shape)
        value, gradient, hessian = loss_terms(self, target.ravel(), raw.reshape(-1, 1))
        return value.reshape(raw.shape), gradient.reshape(raw.shape), hessian.reshape(raw.shape)


def loss_terms(
    loss: Loss, target: Float64Array, raw: Float64Array
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Value (n,), gradient (n, k) and hessian (n, k) of rows (n,) and raw predictions (n, k)."""
    raw = np.ascontiguousarray(raw)
    value = np.empty(len(raw))
    gradient, hessian = np.empty_like(raw), np.empty_like(raw)
    _kernels.loss_terms(*loss.kernel, np.ascontiguousarray(target), raw, value, gradient, hessian)
    return value, gradient, hessian


def exp(x: ArrayLike) -> Float64Array:
    """The kernels' exponential, of any shape."""
    x = np.asarray(x, dtype=np.float64)
    out = np.empty(x.size)
    _kernels.exp(x.ravel(), out)
    return out.reshape(x.shape)
