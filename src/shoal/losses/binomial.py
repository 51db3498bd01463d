"""The log loss of two classes."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import ArrayLike

from shoal._typing import AnyArray, Float64Array
from shoal.exceptions import DataError
from shoal.losses.loss import Loss, exp


@final
@dataclass(frozen=True)
class HalfBinomial(Loss):
    r"""Half the binomial deviance: the log loss of logistic regression.

    .. math:: \ell(y, r) = \log(1 + e^r) - y r

    scikit-learn's ``HalfBinomialLoss``, for y in [0, 1]; its classes are 0 and 1.

    Examples
    --------
    >>> loss = HalfBinomial()
    >>> loss.gradient([0.0, 1.0], [0.0, 1e3])
    array([0.5, 0. ])
    >>> loss.inverse_link([0.0])
    array([0.5])
    """

    labels: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    @property
    def kernel(self) -> tuple[str, float]:
        return "half_binomial", 0.0

    @property
    def gradient_bound(self) -> float:
        return 1.0

    @property
    def curvature_bound(self) -> float:
        return 0.25

    def inverse_link(self, raw: ArrayLike) -> Float64Array:
        """Probability of class 1, shape of ``raw``."""
        raw = np.asarray(raw, dtype=np.float64)
        tail = exp(-np.abs(raw))
        probability: Float64Array = np.where(raw >= 0, 1.0, tail) / (1.0 + tail)
        return probability

    def check_target(self, y: AnyArray) -> None:
        """Raise DataError unless all targets lie in [0, 1]."""
        if not np.all((y >= 0) & (y <= 1)):
            bad = y[~((y >= 0) & (y <= 1))][0]
            raise DataError(
                f"HalfBinomial needs targets y in [0, 1], got {bad}. Encode the classes."
            )
