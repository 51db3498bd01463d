"""Half deviances whose mean is the exponential of the raw prediction."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from shoal._typing import AnyArray, Float64Array
from shoal.exceptions import DataError, ParameterError
from shoal.losses.loss import Loss, exp


def _require(holds: bool, y: AnyArray, loss: Loss, domain: str) -> None:
    if not holds:
        raise DataError(
            f"{loss} needs targets y {domain}, got {np.min(y)}. Drop such rows or choose another "
            "loss."
        )


@final
@dataclass(frozen=True)
class HalfPoisson(Loss):
    r"""Half the Poisson deviance, with logarithmic link.

    .. math:: \ell(y, r) = e^r - y r

    scikit-learn's ``HalfPoissonLoss``. Saturates at the largest float64 instead of overflowing.

    Examples
    --------
    >>> HalfPoisson().value([2.0], [0.0])
    array([1.])
    """

    @property
    def kernel(self) -> tuple[str, float]:
        return "half_poisson", 0.0

    def inverse_link(self, raw: ArrayLike) -> Float64Array:
        return exp(raw)

    def check_target(self, y: AnyArray) -> None:
        _require(bool(np.all(y >= 0)), y, self, ">= 0")


@final
@dataclass(frozen=True)
class HalfGamma(Loss):
    r"""Half the gamma deviance, with logarithmic link.

    .. math:: \ell(y, r) = r + y e^{-r}

    scikit-learn's ``HalfGammaLoss``. Saturates at the largest float64 instead of overflowing.

    Examples
    --------
    >>> HalfGamma().value([2.0], [0.0])
    array([2.])
    """

    @property
    def kernel(self) -> tuple[str, float]:
        return "half_gamma", 0.0

    def inverse_link(self, raw: ArrayLike) -> Float64Array:
        return exp(raw)

    def check_target(self, y: AnyArray) -> None:
        _require(bool(np.all(y > 0)), y, self, "> 0")


#: Powers whose deviance has another form.
_SPECIAL = {0.0: "half_squared_error_of_exp", 1.0: "half_poisson", 2.0: "half_gamma"}


@final
@dataclass(frozen=True)
class HalfTweedie(Loss):
    r"""Half the Tweedie deviance, with logarithmic link.

    .. math:: \ell(y, r) = \frac{e^{(2 - p) r}}{2 - p} - y \frac{e^{(1 - p) r}}{1 - p}

    and its limits for p = 1 (Poisson) and p = 2 (gamma); for p = 0 it is
    :math:`\tfrac12 (e^r - y)^2`. scikit-learn's ``HalfTweedieLoss``. Convex for p in [1, 2].
    Saturates at the largest float64 instead of overflowing. Source: Jorgensen (1997), The theory
    of dispersion models.

    Parameters
    ----------
    power : float, default=1.5
        Variance is proportional to this power of the mean; not between 0 and 1.

    Raises
    ------
    ParameterError
        There is no distribution of this power.

    Examples
    --------
    >>> HalfTweedie(1.5).value([2.0], [0.0])
    array([6.])
    """

    power: float = 1.5

    def __post_init__(self) -> None:
        if not np.isfinite(self.power) or 0 < self.power < 1:
            raise ParameterError(f"power must not lie between 0 and 1, got {self.power!r}")

    @property
    def kernel(self) -> tuple[str, float]:
        power = float(self.power)
        return _SPECIAL.get(power, "half_tweedie"), power

    def inverse_link(self, raw: ArrayLike) -> Float64Array:
        return exp(raw)

    def check_target(self, y: AnyArray) -> None:
        if self.power >= 2:
            _require(bool(np.all(y > 0)), y, self, "> 0")
        elif self.power >= 1:
            _require(bool(np.all(y >= 0)), y, self, ">= 0")
