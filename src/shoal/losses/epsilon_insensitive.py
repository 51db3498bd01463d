"""Absolute and squared error, which forgive small errors."""

from dataclasses import dataclass
from typing import ClassVar, final

from shoal.exceptions import ParameterError
from shoal.losses.loss import Loss


def _check_epsilon(epsilon: float) -> None:
    if not 0 <= epsilon < float("inf"):
        raise ParameterError(f"epsilon must not be negative, and be finite, got {epsilon!r}")


@final
@dataclass(frozen=True)
class EpsilonInsensitive(Loss):
    r"""Absolute error beyond ``epsilon``: the loss of support vector regression.

    .. math:: \ell(y, r) = \max(0, |r - y| - \epsilon)

    ``"epsilon_insensitive"`` of scikit-learn's SGD; 0 is taken as the subgradient at the corners.
    Source: Vapnik (1995), The nature of statistical learning theory.

    Parameters
    ----------
    epsilon : float, default=0.1
        In the units of the target; 0 or above.

    Raises
    ------
    ParameterError
        ``epsilon`` is negative.

    Examples
    --------
    >>> EpsilonInsensitive(0.5).value([0.0, 0.0], [0.25, 2.0])
    array([0. , 1.5])
    """

    is_smooth: ClassVar[bool] = False
    has_hessian: ClassVar[bool] = False

    epsilon: float = 0.1

    def __post_init__(self) -> None:
        _check_epsilon(self.epsilon)

    @property
    def kernel(self) -> tuple[str, float]:
        return "epsilon_insensitive", float(self.epsilon)

    @property
    def gradient_bound(self) -> float:
        return 1.0


@final
@dataclass(frozen=True)
class SquaredEpsilonInsensitive(Loss):
    r"""Squared error beyond ``epsilon``.

    .. math:: \ell(y, r) = \max(0, |r - y| - \epsilon)^2

    ``"squared_epsilon_insensitive"`` of scikit-learn's SGD.

    Parameters
    ----------
    epsilon : float, default=0.1
        In the units of the target; 0 or above.

    Raises
    ------
    ParameterError
        ``epsilon`` is negative.

    Examples
    --------
    >>> SquaredEpsilonInsensitive(0.5).value([0.0, 0.0], [0.25, 2.0])
    array([0.  , 2.25])
    """

    epsilon: float = 0.1

    def __post_init__(self) -> None:
        _check_epsilon(self.epsilon)

    @property
    def kernel(self) -> tuple[str, float]:
        return "squared_epsilon_insensitive", float(self.epsilon)

    @property
    def curvature_bound(self) -> float:
        return 2.0
