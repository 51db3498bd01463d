"""The log loss of several classes."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import ArrayLike

from shoal._typing import AnyArray, Float64Array
from shoal.exceptions import DataError
from shoal.losses.loss import Loss, exp, loss_terms


@final
@dataclass(frozen=True)
class HalfMultinomial(Loss):
    r"""Half the multinomial deviance: the log loss of softmax regression.

    .. math:: \ell(y, r) = \log \sum_k e^{r_k} - r_y

    for a class number y = 0, 1, ... and raw predictions of shape (n_rows, n_classes).
    scikit-learn's ``HalfMultinomialLoss``. The hessian is the diagonal of the matrix
    :math:`\operatorname{diag}(p) - p p^T`, whose largest eigenvalue is at most 1/2.

    Examples
    --------
    >>> loss = HalfMultinomial()
    >>> loss.gradient([1], [[0.0, 0.0]])
    array([[ 0.5, -0.5]])
    >>> loss.inverse_link([[0.0, 0.0]])
    array([[0.5, 0.5]])
    """

    is_multinomial: ClassVar[bool] = True

    @property
    def kernel(self) -> tuple[str, float]:
        return "half_multinomial", 0.0

    @property
    def gradient_bound(self) -> float:
        return 1.0

    @property
    def curvature_bound(self) -> float:
        return 0.5

    def inverse_link(self, raw: ArrayLike) -> Float64Array:
        """Probabilities of the classes, shape (n_rows, n_classes)."""
        raw = np.asarray(raw, dtype=np.float64)
        e = exp(raw - raw.max(axis=1, keepdims=True))
        probabilities: Float64Array = e / e.sum(axis=1, keepdims=True)
        return probabilities

    def check_target(self, y: AnyArray) -> None:
        """Raise DataError unless all targets are class numbers."""
        if not np.all((y >= 0) & (y == np.floor(y))):
            raise DataError("HalfMultinomial needs targets that are class numbers 0, 1, ...")

    def _terms(
        self, y: ArrayLike, raw: ArrayLike
    ) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Value (n,), gradient and diagonal of the hessian (n, k)."""
        raw = np.asarray(raw, dtype=np.float64)
        if raw.ndim != 2:
            raise DataError(f"raw predictions must be of (n_rows, n_classes), got {raw.shape}")
        return loss_terms(self, np.asarray(y, dtype=np.float64), raw)
