"""The penalty of the Lasso."""

from dataclasses import dataclass
from typing import final

import numpy as np

from shoal._typing import Float64Array
from shoal.penalties.penalty import Penalty, check_alpha


@final
@dataclass(frozen=True)
class L1(Penalty):
    r"""The sum of magnitudes of the coefficients.

    .. math:: \alpha |w|_1

    Its smooth part is nothing; its proximal step is soft thresholding,
    :math:`\operatorname{sign}(v) \max(0, |v| - t \alpha)`, whose zeros are exact. ``alpha`` of
    scikit-learn's ``Lasso``. Source: Parikh and Boyd (2014), Proximal algorithms, section 6.5.2.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, 0 or above.

    Raises
    ------
    ParameterError
        ``alpha`` is negative or not finite.

    Examples
    --------
    >>> L1(2.0).value(np.array([3.0, -4.0])), L1(2.0).prox(np.array([3.0, -0.5]), 0.5)
    (14.0, array([2., 0.]))
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_alpha(self.alpha)

    @property
    def is_smooth(self) -> bool:
        return self.alpha == 0

    @property
    def curvature(self) -> float:
        return 0.0

    def value(self, coef: Float64Array) -> float:
        return self.alpha * float(np.abs(coef).sum())

    def gradient(self, coef: Float64Array) -> Float64Array:
        return np.zeros_like(coef)

    def prox(self, coef: Float64Array, step: float | Float64Array) -> Float64Array:
        threshold = self.alpha * np.asarray(step)
        shrunk: Float64Array = coef - np.clip(coef, -threshold, threshold)
        return shrunk
