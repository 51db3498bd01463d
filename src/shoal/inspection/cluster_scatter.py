"""A sample of rows, coloured by cluster, in two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state

from shoal._typing import AnyArray, Float64Array, Int32Array
from shoal.cluster.center_model import opened
from shoal.engines.current import current_engine
from shoal.exceptions import ColumnError, DataError
from shoal.inspection.axes import axes_or_new, style
from shoal.statistics.keyed_sample import KeyedSample
from shoal.statistics.nearest_center import nearest_center
from shoal.statistics.purpose import Purpose

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Clusters that a legend has room for.
MOST_NAMED = 20


@dataclass(frozen=True, slots=True, eq=False)
class ClusterScatter:
    """Sampled rows and cluster centres in two dimensions.

    Attributes
    ----------
    points : ndarray of shape (n_sampled, 2), float64
    labels : ndarray of shape (n_sampled,), int32
    centers : ndarray of shape (n_clusters, 2), float64
    axis_names : tuple of two str
    """

    points: Float64Array
    labels: Int32Array
    centers: Float64Array
    axis_names: tuple[str, str]

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the points in colours that differ to any eye, on `ax` or a new figure.

        Needs matplotlib. Centres are drawn with their number.
        """
        ax = axes_or_new(ax)
        for cluster in range(len(self.centers)):
            points = self.points[self.labels == cluster]
            name = f"{cluster} ({len(points) / len(self.points):.1%})"
            color, marker = style(cluster)
            x, y = points.T
            ax.scatter(x, y, 9, color, marker=marker, alpha=0.6, linewidths=0, label=name)
            box = {"boxstyle": "circle,pad=0.25", "fc": "white", "ec": color}
            center = tuple(self.centers[cluster])
            ax.annotate(str(cluster), center, ha="center", va="center", bbox=box)
        ax.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1])
        if len(self.centers) <= MOST_NAMED:
            ax.legend(
                title="Cluster\n(share of sample)",
                loc="upper left",
                bbox_to_anchor=(1.0, 1.0),
                frameon=False,
                markerscale=2,
            )
        return ax


def scatter_clusters(
    model: Any,
    X: Any,
    *,
    axes: Sequence[str] | Literal["features", "pca"] = "features",
    sample_size: int = 5000,
    random_state: int | np.random.RandomState | None = None,
) -> ClusterScatter:
    """Sample rows, label them, and lay them out in two dimensions.

    One pass; memory of the sample. The sample is the same on any engine.

    Parameters
    ----------
    model : estimator
        A fitted model of cluster centres, such as `shoal.cluster.KMeans`.
    X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
        Rows with the features of the fit.
    axes : {"features", "pca"} or two names of features, default="features"
        ``"features"``: the two features with the largest share of their variance between
        clusters, in the sample. ``"pca"``: the first two principal components of the sample.
    sample_size : int, default=5000
        Rows to draw.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample.

    Returns
    -------
    ClusterScatter

    Raises
    ------
    NotFittedError, DataError, FileError
    ColumnError
        A feature is not one of the model's.

    Examples
    --------
    >>> from shoal.cluster import KMeans
    >>> from shoal.inspection import scatter_clusters
    >>> X = [[0.0, 5, 1], [1, 5, 0], [10, 5, 1], [11, 5, 1]]
    >>> model = KMeans(2, init=[X[0], X[2]]).fit(X)
    >>> scatter = scatter_clusters(model, X, random_state=0)
    >>> scatter.axis_names, scatter.labels.tolist()
    (('x0', 'x2'), [0, 0, 1, 1])
    """
    dataset, centers = opened(model, X)
    if dataset.n_features < 2:
        raise DataError("A scatter plot needs two features, and the model has one.")
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    drawn = KeyedSample(sample_size, dataset.n_features, dataset.dtype, seed, Purpose.SCATTER)
    rows = current_engine().fold(dataset, drawn).X
    labels, _ = nearest_center(rows, centers, rows.mean(axis=0, dtype=np.float64))
    rows, middles = rows.astype(np.float64), centers.astype(np.float64)
    if axes == "pca":
        pca = PCA(2).fit(rows)
        shares = pca.explained_variance_ratio_
        first, second = (f"Component {n} ({s:.0%} of variance)" for n, s in enumerate(shares, 1))
        return ClusterScatter(pca.transform(rows), labels, pca.transform(middles), (first, second))
    names = dataset.feature_names
    shown = _most_telling(rows, labels) if axes == "features" else _positions(names, axes)
    first, second = (names[position] for position in shown)
    return ClusterScatter(rows[:, shown], labels, middles[:, shown], (first, second))


def _most_telling(rows: Float64Array, labels: AnyArray) -> list[int]:
    """The two features with the largest share of variance between clusters, the largest first."""
    total = rows.var(axis=0)
    within = sum(
        (labels == label).mean() * rows[labels == label].var(axis=0) for label in np.unique(labels)
    )
    between = 1 - within / np.where(total > 0, total, 1)
    between[total == 0] = 0
    return [int(position) for position in np.argsort(-between, kind="stable")[:2]]


def _positions(names: Sequence[str], axes: Sequence[str]) -> list[int]:
    """Positions of two features."""
    unknown = [axis for axis in axes if axis not in names]
    if unknown or isinstance(axes, str) or len(axes) != 2:
        raise ColumnError(
            f"axes={axes!r}: give 'features', 'pca' or two of the features {list(names)!r}."
        )
    return [names.index(axis) for axis in axes]
