"""Inertia by number of clusters."""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal._typing import Float64Array, Int64Array
from shoal.cluster import KMeans
from shoal.data.open import open_dataset
from shoal.engines.engine import entered
from shoal.engines.local import LocalEngine
from shoal.inspection.axes import COLORS, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, eq=False)
class Elbow:
    """Inertia of K-means by number of clusters.

    Attributes
    ----------
    n_clusters : ndarray of shape (n_fits,), int64
    inertia : ndarray of shape (n_fits,), float64
    """

    n_clusters: Int64Array
    inertia: Float64Array

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw inertia over the number of clusters, on `ax` or a new figure. Needs matplotlib."""
        ax = axes_or_new(ax)
        ax.plot(self.n_clusters, self.inertia, "o-", color=COLORS[0])
        ax.set_ylim(bottom=0)
        ax.locator_params("x", integer=True)
        ax.set(xlabel="Number of clusters", ylabel="Inertia")
        return ax


def elbow(
    X: Any,
    n_clusters: Iterable[int] = range(1, 11),
    *,
    sample_weight: Any = None,
    **kmeans_parameters: Any,
) -> Elbow:
    """Fit K-means with several numbers of clusters.

    Inertia falls as clusters are added; where the fall slows down (the elbow), more clusters no
    longer follow what is in the data.

    One fit of `shoal.cluster.KMeans` a number, on the current engine. The rows are decoded once
    for all fits.

    Parameters
    ----------
    X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
    n_clusters : iterable of int, default=range(1, 11)
    sample_weight : array-like of shape (n_rows,) or column name, default=None
    **kmeans_parameters
        Further parameters of KMeans, such as ``random_state``.

    Returns
    -------
    Elbow

    Raises
    ------
    ValueError, DataError, FileError
        As of `shoal.cluster.KMeans.fit`.

    Examples
    --------
    >>> from shoal.inspection import elbow
    >>> elbow([[0.0], [1.0], [10.0], [11.0]], [1, 2, 4], random_state=0).inertia
    array([101.,   1.,   0.])
    """
    dataset = open_dataset(X, sample_weight=sample_weight)
    numbers = list(n_clusters)
    # An engine for all fits: each fit's own would decode the rows again.
    with nullcontext() if entered.get() else LocalEngine():
        inertia = [KMeans(k, **kmeans_parameters).fit(dataset).inertia_ for k in numbers]
    return Elbow(np.array(numbers, dtype=np.int64), np.array(inertia, dtype=np.float64))
