"""Squared error."""

from dataclasses import dataclass
from typing import final

from shoal.losses.loss import Loss


@final
@dataclass(frozen=True)
class HalfSquaredError(Loss):
    r"""Half the squared error.

    .. math:: \ell(y, r) = \tfrac12 (r - y)^2

    scikit-learn's ``HalfSquaredError``, and ``"squared_error"`` of its SGD.

    Examples
    --------
    >>> loss = HalfSquaredError()
    >>> loss.value([1.0, 2.0], [3.0, 2.0]), loss.gradient([1.0, 2.0], [3.0, 2.0])
    (array([2., 0.]), array([2., 0.]))
    """

    @property
    def kernel(self) -> tuple[str, float]:
        return "half_squared_error", 0.0

    @property
    def curvature_bound(self) -> float:
        return 1.0
