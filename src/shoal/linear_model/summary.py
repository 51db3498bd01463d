"""The passes before the first step of a linear model."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import Float64Array
from shoal.data.dataset import Dataset
from shoal.solvers.solver import Fold
from shoal.statistics.gram import Gram, SecondMoments
from shoal.statistics.moments import ColumnMoments, Moments
from shoal.statistics.range import ColumnRange, Range, require_weight
from shoal.statistics.target_range import Bounds, TargetRange
from shoal.statistics.together import Together

#: Standard deviations between a mean and the point about which moments were taken, above which
#: they are taken again: about ten roundings are lost below.
FAR = 3.0


@dataclass(frozen=True, slots=True)
class Summary:
    """What passes before the first step found out about the rows.

    Attributes
    ----------
    range : ColumnRange
    targets : Bounds
    moments : ColumnMoments
    shift : ndarray of shape (n_features,), float64
        The mean, rounded to the type of the data so that subtracting it from float32 values is
        exact in float64.
    dtype : numpy.dtype
    is_sparse : bool
    """

    range: ColumnRange
    targets: Bounds
    moments: ColumnMoments
    shift: Float64Array
    dtype: np.dtype[np.floating]
    is_sparse: bool

    @property
    def target_range(self) -> tuple[float, float]:
        """Smallest and largest target over all outputs."""
        return float(self.targets.minimum.min()), float(self.targets.maximum.max())

    @property
    def squares_about_shift(self) -> Float64Array:
        """Mean squares of the features about the shift, shape (n_features,)."""
        squares: Float64Array = self.moments.variance + (self.moments.mean - self.shift) ** 2
        return squares


def ranges(dataset: Dataset, n_outputs: int, fold: Fold) -> tuple[ColumnRange, Bounds]:
    """Ranges of features and targets. One pass.

    Raises
    ------
    DataError
        No rows are left, or none has a weight above 0.
    """
    together = Together((Range(dataset.n_features), TargetRange(n_outputs)))
    found, targets = fold(together)
    require_weight(found)
    return found, targets


def summarize(dataset: Dataset, n_outputs: int, fold: Fold) -> Summary:
    """Ranges, means and variances. Two passes."""
    found, targets = ranges(dataset, n_outputs, fold)
    moments = fold(Moments.within(found, _middle(dataset, found), dataset.is_weighted))
    shift = moments.mean.astype(dataset.dtype).astype(np.float64)
    return Summary(found, targets, moments, shift, dataset.dtype, dataset.source.is_sparse)


def second_moments(
    dataset: Dataset, found: ColumnRange, targets: Bounds, fold: Fold
) -> SecondMoments:
    """Second moments of features and targets. One pass, or two where means are far off."""
    middle = np.concatenate([_middle(dataset, found), targets.middle])
    moments = fold(_gram(dataset, found, targets, middle))
    if moments.offset.max() > FAR and not dataset.source.is_sparse:
        mean = np.concatenate([moments.mean, moments.target_mean])
        moments = fold(_gram(dataset, found, targets, mean))
    return moments


def _gram(dataset: Dataset, found: ColumnRange, targets: Bounds, about: Float64Array) -> Gram:
    # Rounded, so that to subtract it from float32 values is exact in float64.
    shift = about.astype(dataset.dtype).astype(np.float64)
    return Gram.within(found, targets, shift, dataset.dtype)


def _middle(dataset: Dataset, found: ColumnRange) -> Float64Array:
    """The middle of the range; zeros for sparse rows, which are to stay sparse."""
    if dataset.source.is_sparse:
        return np.zeros(dataset.n_features)
    return found.middle
