"""The penalty of the elastic net."""

from dataclasses import dataclass
from typing import final

from shoal._typing import Float64Array
from shoal.exceptions import ParameterError
from shoal.penalties.l1 import L1
from shoal.penalties.l2 import L2
from shoal.penalties.penalty import Penalty, check_alpha


@final
@dataclass(frozen=True)
class ElasticNet(Penalty):
    r"""A mixture of L1 and L2.

    .. math:: \alpha \rho |w|_1 + \tfrac{\alpha (1 - \rho)}{2} |w|_2^2

    with :math:`\rho` the ``l1_ratio``. The squares are the smooth part, magnitudes the part of the
    proximal step. Factors of scikit-learn's ``ElasticNet``. Source: Zou and Hastie (2005),
    Regularization and variable selection via the elastic net.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, 0 or above.
    l1_ratio : float, default=0.5
        Share of L1, from 0 to 1.

    Raises
    ------
    ParameterError
        ``alpha`` is negative or not finite, or ``l1_ratio`` out of range.

    Examples
    --------
    >>> import numpy as np
    >>> ElasticNet(2.0, l1_ratio=0.5).value(np.array([3.0, -4.0]))
    19.5
    """

    alpha: float = 1.0
    l1_ratio: float = 0.5

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        if not 0 <= self.l1_ratio <= 1:
            raise ParameterError(f"l1_ratio must lie in [0, 1], got {self.l1_ratio!r}")

    @property
    def is_smooth(self) -> bool:
        return self._l1.is_smooth

    @property
    def curvature(self) -> float:
        return self._l2.curvature

    def value(self, coef: Float64Array) -> float:
        return self._l1.value(coef) + self._l2.value(coef)

    def gradient(self, coef: Float64Array) -> Float64Array:
        return self._l2.gradient(coef)

    def prox(self, coef: Float64Array, step: float | Float64Array) -> Float64Array:
        return self._l1.prox(coef, step)

    @property
    def _l1(self) -> L1:
        return L1(self.alpha * self.l1_ratio)

    @property
    def _l2(self) -> L2:
        return L2(self.alpha * (1 - self.l1_ratio))
