"""What a penalty is: the seam between a model and what keeps its coefficients small."""

from abc import ABC, abstractmethod

from shoal._typing import Float64Array
from shoal.exceptions import ParameterError


class Penalty(ABC):
    """A convex penalty on coefficients, a smooth part plus one with a proximal step.

    Penalties are immutable and picklable; factors are scikit-learn's. Coefficients have any shape;
    the intercept is not among them: it is never penalised.
    """

    @property
    @abstractmethod
    def is_smooth(self) -> bool:
        """Whether the gradient is that of all of the penalty, and the proximal step nothing."""

    @property
    @abstractmethod
    def curvature(self) -> float:
        """Second derivative of the smooth part, the same in every coefficient."""

    @abstractmethod
    def value(self, coef: Float64Array) -> float:
        """The penalty, both parts."""

    @abstractmethod
    def gradient(self, coef: Float64Array) -> Float64Array:
        """Gradient of the smooth part, shape of ``coef``."""

    @abstractmethod
    def prox(self, coef: Float64Array, step: float | Float64Array) -> Float64Array:
        r"""Proximal step of the non-smooth part :math:`h`, shape of ``coef``.

        .. math:: \operatorname{prox}(v) = \arg\min_w h(w) + \tfrac{1}{2 t} |w - v|^2

        ``step`` is t, one for all or one for each coefficient.
        """


def check_alpha(alpha: float) -> None:
    """Raise ParameterError unless `alpha` is finite and not negative."""
    if not 0 <= alpha < float("inf"):
        raise ParameterError(f"alpha must be finite and not negative, got {alpha!r}")
