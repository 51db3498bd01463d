"""Losses of the margin y r of a binary classifier, for targets y of -1 and 1."""

from dataclasses import dataclass
from typing import ClassVar, final

from shoal.losses.loss import Loss


@final
@dataclass(frozen=True)
class Hinge(Loss):
    r"""The loss of a linear support vector machine.

    .. math:: \ell(y, r) = \max(0, 1 - y r)

    ``"hinge"`` of scikit-learn's SGD, ``-y`` as the subgradient at the corner included.

    Examples
    --------
    >>> Hinge().value([1.0, -1.0], [3.0, 3.0])
    array([0., 4.])
    """

    is_smooth: ClassVar[bool] = False
    has_hessian: ClassVar[bool] = False
    labels: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)

    @property
    def kernel(self) -> tuple[str, float]:
        return "hinge", 0.0

    @property
    def gradient_bound(self) -> float:
        return 1.0


@final
@dataclass(frozen=True)
class SquaredHinge(Loss):
    r"""The square of the hinge loss.

    .. math:: \ell(y, r) = \max(0, 1 - y r)^2

    ``"squared_hinge"`` of scikit-learn's SGD.

    Examples
    --------
    >>> SquaredHinge().value([1.0, -1.0], [3.0, 3.0])
    array([ 0., 16.])
    """

    labels: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)

    @property
    def kernel(self) -> tuple[str, float]:
        return "squared_hinge", 0.0

    @property
    def curvature_bound(self) -> float:
        return 2.0


@final
@dataclass(frozen=True)
class ModifiedHuber(Loss):
    r"""The squared hinge loss with a linear tail.

    .. math:: \ell(y, r) = \begin{cases} \max(0, 1 - y r)^2 & y r \ge -1 \\ -4 y r
              & \text{otherwise} \end{cases}

    ``"modified_huber"`` of scikit-learn's SGD. Source: Zhang (2004), Solving large scale linear
    prediction problems using stochastic gradient descent algorithms.

    Examples
    --------
    >>> ModifiedHuber().value([1.0, -1.0], [0.0, 3.0])
    array([ 1., 12.])
    """

    labels: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)

    @property
    def kernel(self) -> tuple[str, float]:
        return "modified_huber", 0.0

    @property
    def gradient_bound(self) -> float:
        return 4.0

    @property
    def curvature_bound(self) -> float:
        return 2.0


@final
@dataclass(frozen=True)
class Perceptron(Loss):
    r"""The hinge loss without a margin.

    .. math:: \ell(y, r) = \max(0, -y r)

    ``"perceptron"`` of scikit-learn's SGD, ``-y`` as the subgradient at the corner included.
    Source: Rosenblatt (1958), The perceptron.

    Examples
    --------
    >>> Perceptron().value([1.0, -1.0], [3.0, 3.0])
    array([0., 3.])
    """

    is_smooth: ClassVar[bool] = False
    has_hessian: ClassVar[bool] = False
    labels: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)

    @property
    def kernel(self) -> tuple[str, float]:
        return "perceptron", 0.0

    @property
    def gradient_bound(self) -> float:
        return 1.0
