"""Squared error with linear tails."""

from dataclasses import dataclass
from typing import final

from shoal.exceptions import ParameterError
from shoal.losses.loss import Loss


@final
@dataclass(frozen=True)
class Huber(Loss):
    r"""Half the squared error up to ``epsilon``, and linear beyond it.

    .. math:: \ell(y, r) = \begin{cases} \tfrac12 (r - y)^2 & |r - y| \le \epsilon \\
              \epsilon (|r - y| - \tfrac12 \epsilon) & \text{otherwise} \end{cases}

    ``"huber"`` of scikit-learn's SGD. Source: Huber (1964), Robust estimation of a location
    parameter.

    Parameters
    ----------
    epsilon : float, default=0.1
        In the units of the target; above 0.

    Raises
    ------
    ParameterError
        ``epsilon`` is not above 0.

    Examples
    --------
    >>> Huber(1.0).value([0.0, 0.0], [0.5, 3.0])
    array([0.125, 2.5  ])
    """

    epsilon: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < float("inf"):
            raise ParameterError(f"epsilon must be above 0 and finite, got {self.epsilon!r}")

    @property
    def kernel(self) -> tuple[str, float]:
        return "huber", float(self.epsilon)

    @property
    def gradient_bound(self) -> float:
        return float(self.epsilon)

    @property
    def curvature_bound(self) -> float:
        return 1.0
