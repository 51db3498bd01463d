"""The passes before the first step of K-means."""

import numpy as np

from shoal.data.dataset import Dataset
from shoal.exceptions import DataError
from shoal.solvers.lloyd import Summary
from shoal.solvers.solver import Fold
from shoal.statistics.moments import Moments
from shoal.statistics.range import ColumnRange, Range, require_weight


def summarize(dataset: Dataset, fold: Fold, least_rows: int = 1) -> Summary:
    """Range and moments of `dataset`. Two passes.

    Raises
    ------
    DataError
        No rows are left, or fewer than `least_rows`, the number of clusters; no row has a weight
        above 0; or sums of squared distances overflow.
    """
    found = fold(Range(dataset.n_features))
    if 0 < found.n_rows < least_rows:
        raise DataError(
            f"n_samples={found.n_rows} should be >= n_clusters={least_rows}: ask for fewer."
        )
    require_weight(found)
    _check_squares(dataset, found)
    weighted = dataset.sample_weight is not None
    # Sparse rows stay sparse only if nothing is subtracted from them.
    is_sparse = dataset.source.is_sparse
    middle = np.zeros(dataset.n_features) if is_sparse else found.middle
    moments = fold(Moments.within(found, middle, weighted))
    mean = np.zeros(dataset.n_features) if is_sparse else moments.mean
    shift = mean.astype(dataset.dtype).astype(np.float64)
    return Summary(found, moments, shift, dataset.dtype, weighted)


def _check_squares(dataset: Dataset, found: ColumnRange) -> None:
    """Raise DataError, which names the widest column, if sums of squares would overflow."""
    width = found.largest_distance(np.zeros(dataset.n_features))
    if not dataset.source.is_sparse:
        width = found.maximum / 2 - found.minimum / 2
    with np.errstate(over="ignore"):
        # Centres lie within the range: none is farther from a row than twice this.
        largest = 1.0 + ((2.0 * width) ** 2).sum()
        if np.isfinite(found.n_rows * found.largest_weight * largest):
            return
    widest = int(width.argmax())
    raise DataError(
        f"Sums of squared distances, times weights, overflow float64: column "
        f"{dataset.feature_names[widest]!r} has values from {found.minimum[widest]:g} to "
        f"{found.maximum[widest]:g}, and weights reach {found.largest_weight:g}. Scale the "
        "columns, by StandardScaler say."
    )
