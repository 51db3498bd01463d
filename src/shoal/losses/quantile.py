"""The loss that quantiles minimise."""

from dataclasses import dataclass
from typing import ClassVar, final

from shoal.exceptions import ParameterError
from shoal.losses.loss import Loss


@final
@dataclass(frozen=True)
class Quantile(Loss):
    r"""Absolute error, weighted by ``quantile`` above and ``1 - quantile`` below the prediction.

    .. math:: \ell(y, r) = \begin{cases} q (y - r) & y \ge r \\ (1 - q) (r - y) & y < r
              \end{cases}

    scikit-learn's pinball loss, ``-q`` as the subgradient at the corner included. Source: Koenker
    and Bassett (1978), Regression quantiles.

    Parameters
    ----------
    quantile : float, default=0.5
        Between 0 and 1, both left out.

    Raises
    ------
    ParameterError
        ``quantile`` is out of range.

    Examples
    --------
    >>> Quantile(0.75).value([1.0, 0.0], [0.0, 1.0])
    array([0.75, 0.25])
    """

    is_smooth: ClassVar[bool] = False
    has_hessian: ClassVar[bool] = False

    quantile: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.quantile < 1:
            raise ParameterError(f"quantile must lie between 0 and 1, got {self.quantile!r}")

    @property
    def kernel(self) -> tuple[str, float]:
        return "quantile", float(self.quantile)

    @property
    def gradient_bound(self) -> float:
        return max(self.quantile, 1.0 - self.quantile)
