"""The passes before the first step of K-means."""

import numpy as np

from shoal.data.dataset import Dataset
from shoal.exceptions import DataError
from shoal.solvers.lloyd import Summary
from shoal.solvers.solver import Fold
from shoal.statistics.moments import Moments
from shoal.statistics.range import Range, require_weight


def summarize(dataset: Dataset, fold: Fold, least_rows: int = 1) -> Summary:
    """Range and moments of `dataset`. Two passes.

    Raises
    ------
    DataError
        No rows are left, or fewer than `least_rows`, the number of clusters; or no row has a
        weight above 0.
    """
    found = fold(Range(dataset.n_features))
    if 0 < found.n_rows < least_rows:
        raise DataError(
            f"n_samples={found.n_rows} should be >= n_clusters={least_rows}: ask for fewer."
        )
    require_weight(found)
    weighted = dataset.sample_weight is not None
    # Sparse rows stay sparse only if nothing is subtracted from them.
    is_sparse = dataset.source.is_sparse
    middle = np.zeros(dataset.n_features) if is_sparse else found.middle
    moments = fold(Moments.within(found, middle, weighted))
    mean = np.zeros(dataset.n_features) if is_sparse else moments.mean
    shift = mean.astype(dataset.dtype).astype(np.float64)
    return Summary(found, moments, shift, dataset.dtype, weighted)
