"""No penalty."""

from dataclasses import dataclass
from typing import final

import numpy as np

from shoal._typing import Float64Array
from shoal.penalties.penalty import Penalty


@final
@dataclass(frozen=True)
class NoPenalty(Penalty):
    """Nothing is penalised.

    Examples
    --------
    >>> NoPenalty().value(np.array([3.0, 4.0]))
    0.0
    """

    @property
    def is_smooth(self) -> bool:
        return True

    @property
    def curvature(self) -> float:
        return 0.0

    def value(self, coef: Float64Array) -> float:
        return 0.0

    def gradient(self, coef: Float64Array) -> Float64Array:
        return np.zeros_like(coef)

    def prox(self, coef: Float64Array, step: float | Float64Array) -> Float64Array:
        return coef
