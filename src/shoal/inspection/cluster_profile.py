"""What tells the clusters of a model apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from rich.console import Console
from rich.table import Table

from shoal._typing import AnyArray, Float64Array
from shoal.cluster.center_model import opened
from shoal.cluster.summary import summarize
from shoal.engines.current import current_engine
from shoal.exceptions import ColumnError
from shoal.inspection.axes import axes_or_new
from shoal.solvers.lloyd import Summary
from shoal.statistics.center_search import CenterSearch
from shoal.statistics.centroid_sums import CentroidSums, ClusterSums
from shoal.statistics.fixed_point import choose_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Features that a table of 100 characters has room for.
MOST_COLUMNS = 5


@dataclass(frozen=True, slots=True, eq=False)
class ClusterProfile:
    """Sizes of clusters, and how far their means lie from those of all rows.

    ``print(profile)`` shows a table, ``profile.plot()`` a chart.

    Attributes
    ----------
    feature_names : tuple of str
    sizes : ndarray of shape (n_clusters,), float64
        Rows of each cluster, or the sum of their weights.
    shares : ndarray of shape (n_clusters,), float64
        Sizes over their sum.
    means : ndarray of shape (n_clusters, n_features), float64
        Mean of each feature, in its own unit; NaN in a cluster without rows.
    deviations : ndarray of shape (n_clusters, n_features), float64
        By how many standard deviations of all rows the mean lies above that of all rows; 0 for
        a constant feature, NaN in a cluster without rows.
    """

    feature_names: tuple[str, ...]
    sizes: Float64Array
    shares: Float64Array
    means: Float64Array
    deviations: Float64Array

    @property
    def explained(self) -> Float64Array:
        """Share of each feature's variance that lies between clusters, shape (n_features,)."""
        return np.asarray(self.shares @ np.nan_to_num(self.deviations) ** 2, dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """The attributes as lists, for JSON; means of empty clusters are None."""
        return {
            "feature_names": list(self.feature_names),
            "sizes": self.sizes.tolist(),
            "shares": self.shares.tolist(),
            "means": _without_nan(self.means),
            "deviations": _without_nan(self.deviations),
        }

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw deviations as colours with the means written on, on `ax` or a new figure.

        Needs matplotlib.
        """
        n_clusters, n_features = self.means.shape
        written = [_number_format(means) for means in self.means.T]
        ax = axes_or_new(ax, figsize=(3.5 + 1.1 * n_features, 1.5 + 0.4 * n_clusters))
        limit = max(1.0, float(np.nanmax(np.abs(self.deviations))))
        image = ax.imshow(self.deviations, cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
        for (cluster, feature), mean in np.ndenumerate(self.means):
            is_dark = abs(self.deviations[cluster, feature]) > 0.7 * limit
            color = "white" if is_dark else "black"
            ax.text(feature, cluster, written[feature](mean), ha="center", va="center", color=color)
        ax.set_xticks(range(n_features), self.feature_names)
        names = [f"{cluster} ({share:.1%})" for cluster, share in enumerate(self.shares)]
        ax.set_yticks(range(n_clusters), names)
        ax.set(ylabel="Cluster (share of rows)")
        ax.figure.colorbar(image, ax=ax, label="Standard deviations from the mean")
        return ax

    def __rich__(self) -> Table:
        shown = np.sort(np.argsort(-self.explained, kind="stable")[:MOST_COLUMNS])
        n_left_out = len(self.feature_names) - len(shown)
        table = Table(caption=self._caption(n_left_out))
        for name in ("cluster", "rows", "share", *(self.feature_names[f] for f in shown)):
            table.add_column(name, justify="right")
        columns = [self._cells(feature) for feature in shown]
        for cluster, cells in enumerate(zip(*columns, strict=True)):
            size, share = self.sizes[cluster], self.shares[cluster]
            table.add_row(str(cluster), f"{size:,.0f}", f"{share:.1%}", *cells)
        return table

    def __str__(self) -> str:
        console = Console(width=100, color_system=None)
        with console.capture() as captured:
            console.print(self)
        return captured.get().rstrip("\n")

    def _caption(self, n_left_out: int) -> str:
        caption = "mean (standard deviations from the mean of all rows)"
        if n_left_out:
            caption += f"; {n_left_out} features that tell less are left out"
        return caption

    def _cells(self, feature: int) -> list[str]:
        """Mean and deviation of a feature in each cluster."""
        written = _number_format(self.means[:, feature])
        pairs = zip(self.means[:, feature], self.deviations[:, feature], strict=True)
        return [
            "-" if np.isnan(mean) else f"{written(mean)} ({deviation:+z.1f})"
            for mean, deviation in pairs
        ]


def describe_clusters(
    model: Any,
    X: Any,
    *,
    features: Sequence[str | int] | None = None,
    sample_weight: Any = None,
) -> ClusterProfile:
    r"""Sizes of clusters, and how their means differ from those of all rows.

    For feature :math:`f` of cluster :math:`j`, the deviation is :math:`(\bar x_{jf} - \bar x_f) /
    s_f`, with mean and standard deviation over all rows. Sums are exact: the result is the same
    to the last bit on any engine.

    Three passes, of which all but the first read decoded blocks; O(n_clusters n_features) memory.

    Parameters
    ----------
    model : estimator
        A fitted model of cluster centres, such as `shoal.cluster.KMeans`.
    X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
        Rows with the features of the fit. Where the model has ``metric="cosine"`` it is rows of
        unit length that are described, as in the fit.
    features : sequence of str or int, default=None
        Names or positions of the features to describe; all by default.
    sample_weight : array-like of shape (n_rows,) or column name, default=None

    Returns
    -------
    ClusterProfile

    Raises
    ------
    NotFittedError, DataError, FileError
    ColumnError
        A feature is not one of the model's.

    Examples
    --------
    >>> from shoal.cluster import KMeans
    >>> from shoal.inspection import describe_clusters
    >>> X = [[0.0, 5], [1, 5], [10, 5], [11, 5]]
    >>> model = KMeans(2, init=[[0, 5], [10, 5]]).fit(X)
    >>> profile = describe_clusters(model, X)
    >>> profile.sizes
    array([2., 2.])
    >>> profile.means
    array([[ 0.5,  5. ],
           [10.5,  5. ]])
    >>> profile.deviations.round(3)
    array([[-0.995,  0.   ],
           [ 0.995,  0.   ]])
    """
    dataset, centers = opened(model, X, sample_weight)
    shown = _positions(dataset.feature_names, features)
    engine = current_engine()
    fold = partial(engine.fold, dataset)
    try:
        summary = summarize(dataset, fold)
        sums = fold(_centroid_sums(summary, centers))
    finally:
        engine.release(dataset)
    names = tuple(dataset.feature_names[position] for position in shown)
    return _profile(names, summary, sums, np.array(shown, dtype=np.intp))


def _positions(names: Sequence[str], features: Sequence[str | int] | None) -> list[int]:
    """Positions of `features` among `names`."""
    if features is None:
        return list(range(len(names)))
    known: dict[str | int, int] = {name: position for position, name in enumerate(names)}
    known |= {position: position for position in range(len(names))}
    for feature in features:
        if feature not in known:
            raise ColumnError(f"The model has no feature {feature!r}, but {list(names)!r}.")
    return [known[feature] for feature in features]


def _centroid_sums(summary: Summary, centers: AnyArray) -> CentroidSums:
    found = summary.range
    largest = found.largest_weight * found.largest_distance(summary.shift)
    return CentroidSums(
        CenterSearch(centers, summary.shift, uuid4().hex, 0),
        choose_scale(largest, found.n_rows, summary.dtype),
        choose_scale(found.largest_weight, found.n_rows, summary.dtype),
        summary.weighted,
    )


def _profile(
    names: tuple[str, ...], summary: Summary, sums: ClusterSums, shown: AnyArray
) -> ClusterProfile:
    sizes = sums.weights
    with np.errstate(invalid="ignore"):
        means = (summary.shift + sums.sums / sizes[:, None])[:, shown]
    spread = np.sqrt(summary.moments.variance[shown])
    # Without spread there is nothing to measure a difference by, nor a difference.
    spread[spread == 0] = np.inf
    deviations = (means - summary.moments.mean[shown]) / spread
    return ClusterProfile(names, sizes, sizes / sizes.sum(), means, deviations)


def _number_format(values: Float64Array) -> Callable[[float], str]:
    """What writes each of `values` with as many decimals as give the largest four digits."""
    largest = float(np.nanmax(np.abs(values)))
    if largest and not 1e-3 <= largest < 1e7:
        return "{:z.3e}".format
    n_digits = int(np.floor(np.log10(largest))) if largest else 3
    return f"{{:z,.{max(0, 3 - n_digits)}f}}".format


def _without_nan(values: Float64Array) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in values]
