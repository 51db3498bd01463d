"""The penalty of ridge regression."""

from dataclasses import dataclass
from typing import final

import numpy as np

from shoal._typing import Float64Array
from shoal.penalties.penalty import Penalty, check_alpha


@final
@dataclass(frozen=True)
class L2(Penalty):
    r"""Half the squared length of the coefficients.

    .. math:: \tfrac{\alpha}{2} |w|_2^2

    Smooth, so that its proximal step is nothing. ``alpha`` of scikit-learn's generalised linear
    models and SGD; ``Ridge`` leaves out both the half and the division of the loss by the number
    of rows.

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
    >>> L2(2.0).value(np.array([3.0, 4.0])), L2(2.0).gradient(np.array([3.0, 4.0]))
    (25.0, array([6., 8.]))
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_alpha(self.alpha)

    @property
    def is_smooth(self) -> bool:
        return True

    @property
    def curvature(self) -> float:
        return self.alpha

    def value(self, coef: Float64Array) -> float:
        return 0.5 * self.alpha * float(np.square(coef).sum())

    def gradient(self, coef: Float64Array) -> Float64Array:
        return self.alpha * coef

    def prox(self, coef: Float64Array, step: float | Float64Array) -> Float64Array:
        return coef
