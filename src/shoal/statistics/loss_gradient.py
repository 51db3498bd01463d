"""Loss of a linear model and its gradient: the pass of every full-batch solver."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import DTypeLike

from shoal import _kernels
from shoal._typing import Float64Array, Int32Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.losses import Loss
from shoal.statistics.fixed_point import Scale, add_weights, choose_scale, to_float
from shoal.statistics.range import ColumnRange
from shoal.statistics.target_range import targets_of

#: What the kernels take.
_MOST_EXPONENT = 900
_LARGEST_BOUND = 2.0**1000


@dataclass(frozen=True, slots=True)
class LossSums:
    """What a pass found: sums over rows, weighted by the sample weights; not means.

    Attributes
    ----------
    value : float
        Of losses; infinite where the pass has overflowed.
    gradient : ndarray of shape (n_outputs, n_features), float64
        With respect to the coefficients, of x - shift; NaN where the pass has overflowed.
    intercept_gradient : ndarray of shape (n_outputs,), float64
        With respect to the intercepts; NaN where the pass has overflowed.
    weight : float
        Of weights; the number of rows where there are none.
    largest_gradient : float
        Largest weighted derivative with respect to a raw prediction, in magnitude.
    overflowed : bool
        Whether a row went beyond the bounds of the fixed point: the pass has to be repeated with
        a larger bound, or at smaller coefficients.
    """

    value: float
    gradient: Float64Array
    intercept_gradient: Float64Array
    weight: float
    largest_gradient: float
    overflowed: bool


@dataclass(slots=True)
class ExactLossSums:
    """Fixed-point sums, by limbs; and the largest weighted derivative and loss, shape (2,).

    Of w g (x - shift), (n_limbs, n_outputs, n_features); of w g, (n_limbs, n_outputs); of w loss
    and of w, (2,).
    """

    gradient: Int64Array
    intercept: Int64Array
    value: Int64Array
    weight: Int64Array
    largest: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class LossGradient(Statistic[ExactLossSums, LossSums]):
    r"""Sums of losses of a linear model, and of their gradients.

    .. math:: \sum_i w_i \ell(y_i, r_i), \qquad
              \sum_i w_i \ell'(y_i, r_i) (x_i - m), \qquad r_i = W (x_i - m) + b

    in fixed point. Rows are read once. One pass, O(n_outputs * n_features) memory a thread, and
    8 bytes a row beside blocks where targets are classes.

    Dense float64 rows are centred in the pass. Sparse and float32 rows are centred by algebra,
    :math:`W x + (b - W m)`: in float64 arithmetic that costs ``2**-29`` of what rounding the rows
    to float32 has cost already.

    Parameters
    ----------
    loss : Loss
    coef : ndarray of shape (n_outputs, n_features), float64
    intercept : ndarray of shape (n_outputs,), float64
    shift : ndarray of shape (n_features,), float64
        The point m.
    is_centring : bool
        Whether rows are centred in the pass.
    column_exponents : ndarray of shape (n_features,), int32
        Powers of two that bring each column below 1.
    gradient_scale, value_scale, weight_scale : Scale
    gradient_bound, value_bound : float
        Beyond which the pass has overflowed.
    """

    loss: Loss
    coef: Float64Array
    intercept: Float64Array
    shift: Float64Array
    is_centring: bool
    column_exponents: Int32Array
    gradient_scale: Scale
    value_scale: Scale
    weight_scale: Scale
    gradient_bound: float
    value_bound: float

    @classmethod
    def within(
        cls,
        found: ColumnRange,
        loss: Loss,
        coef: Float64Array,
        intercept: Float64Array,
        shift: Float64Array,
        *,
        dtype: DTypeLike,
        is_sparse: bool,
        target_range: tuple[float, float],
        bound: float | None = None,
    ) -> Self:
        """The statistic for rows of a known range.

        ``dtype`` is that of the rows: float32 gets one limb. ``is_sparse`` says whether they are
        CSR. ``target_range`` is the smallest and largest target. ``bound`` is on the magnitude of
        weighted derivatives; where the loss has none of its own the default cannot be exceeded,
        but may be so large that the fixed point loses digits: a few times the largest gradient of
        the pass before is better.
        """
        is_centring = not is_sparse and np.dtype(dtype) == np.float64
        distance = found.largest_distance(shift)
        largest = distance if is_centring else found.largest_distance(np.zeros_like(shift))
        reach = float(
            np.max(np.abs(intercept) + (np.abs(coef) * distance).sum(axis=1), initial=0.0)
        )
        if bound is None:
            bound = found.largest_weight * _largest_gradient(loss, target_range, reach)
        bound = min(bound, _LARGEST_BOUND)
        value_bound = _largest_value(loss, target_range, reach, found.largest_weight, bound, coef)
        n_terms = found.n_rows * len(coef)
        return cls(
            loss,
            np.ascontiguousarray(coef, dtype=np.float64),
            np.ascontiguousarray(intercept, dtype=np.float64),
            np.ascontiguousarray(shift, dtype=np.float64),
            is_centring,
            np.clip(-np.frexp(largest)[1], -_MOST_EXPONENT, _MOST_EXPONENT).astype(np.int32),
            choose_scale(bound, n_terms, dtype),
            choose_scale(value_bound, n_terms, np.float64),
            choose_scale(found.largest_weight, found.n_rows, np.float64),
            bound,
            value_bound,
        )

    def zero(self) -> ExactLossSums:
        limbs = self.gradient_scale.limbs
        return ExactLossSums(
            np.zeros((limbs, *self.coef.shape), dtype=np.int64),
            np.zeros((limbs, len(self.coef)), dtype=np.int64),
            np.zeros(2, dtype=np.int64),
            np.zeros(2, dtype=np.int64),
            np.zeros(2),
        )

    def update(self, partial: ExactLossSums, block: Block) -> ExactLossSums:
        X, weight = block.X, block.sample_weight
        arguments = {
            "exponents": self.column_exponents,
            "coef": self.coef,
            "intercept": self.intercept if self.is_centring else self._intercept_of_zero,
            "loss": self.loss.kernel[0],
            "parameter": self.loss.kernel[1],
            "target": targets_of(block),
            "weights": weight,
            "gradient_exponent": int(self.gradient_scale.exponents),
            "value_exponent": int(self.value_scale.exponents),
            "low_bits": self.gradient_scale.low_bits,
            "sums": partial.gradient,
            "intercept_sums": partial.intercept,
            "value_sums": partial.value,
            "largest": partial.largest,
        }
        if isinstance(X, np.ndarray):
            shift = self.shift if self.is_centring else None
            _kernels.linear_gradient(X, shift=shift, **arguments)
        else:
            _kernels.linear_gradient_csr(X.data, X.indices, X.indptr, **arguments)
        add_weights(partial.weight, block, self.weight_scale)
        return partial

    def merge(self, partial: ExactLossSums, other: ExactLossSums) -> ExactLossSums:
        partial.gradient += other.gradient
        partial.intercept += other.intercept
        partial.value += other.value
        partial.weight += other.weight
        np.maximum(partial.largest, other.largest, out=partial.largest)
        return partial

    def result(self, partial: ExactLossSums) -> LossSums:
        weight = float(to_float(partial.weight, self.weight_scale))
        largest_gradient, largest_value = partial.largest.tolist()
        if largest_gradient > self.gradient_bound or largest_value > self.value_bound:
            nothing = np.full(self.coef.shape, np.nan)
            return LossSums(np.inf, nothing, nothing[:, 0].copy(), weight, largest_gradient, True)
        scale = self.gradient_scale
        columns = Scale(scale.exponents + self.column_exponents, scale.low_bits, scale.limbs)
        gradient = to_float(partial.gradient, columns)
        intercept_gradient = to_float(partial.intercept, scale)
        if not self.is_centring:
            gradient -= np.multiply.outer(intercept_gradient, self.shift)
        return LossSums(
            float(to_float(partial.value, self.value_scale)),
            gradient,
            intercept_gradient,
            weight,
            largest_gradient,
            False,
        )

    @property
    def _intercept_of_zero(self) -> Float64Array:
        """Raw predictions of a row of zeros, shape (n_outputs,)."""
        at_zero: Float64Array = self.intercept - (self.coef * self.shift).sum(axis=1)
        return at_zero


def _largest_gradient(loss: Loss, target_range: tuple[float, float], reach: float) -> float:
    """Largest derivative at raw predictions up to `reach`: derivatives are monotone in both."""
    if loss.gradient_bound is not None:
        return loss.gradient_bound
    low, high = target_range
    corners = loss.gradient([low, low, high, high], [-reach, reach, -reach, reach])
    return float(np.abs(corners).max())


def _largest_value(
    loss: Loss,
    target_range: tuple[float, float],
    reach: float,
    weight: float,
    bound: float,
    coef: Float64Array,
) -> float:
    """Largest weighted loss where weighted derivatives stay below `bound`.

    The loss is convex: at r it is at most loss(0) + |loss'(r)| |r| and at least
    loss(0) - |loss'(0)| |r|.
    """
    low, high = target_range
    raw = np.zeros((2, len(coef))) if loss.is_multinomial else np.zeros(2)
    value = np.abs(loss.value([low, high], raw)).max()
    slope = np.abs(loss.gradient([low, high], raw)).max()
    return min(float(weight * (value + slope * reach) + bound * reach), _LARGEST_BOUND)
