"""How near rows of groups can be to queries, by the triangle inequality."""

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array
from shoal.statistics.nearest_rows import middle

#: Far more than the relative error of a distance in float64 of up to a million features.
SLACK = 1e-9


class GroupBounds:
    r"""Lower bounds on the distances of queries to the rows of groups.

    No row of a group with centre :math:`c` and radius :math:`r` is nearer to :math:`q` than
    :math:`|q - c| - r`; bounds are lower than that by more than their rounding error.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, n_features)
    centers : ndarray of shape (n_groups, n_features)
        Of the type of the queries.
    radii : ndarray of shape (n_groups,), float64
        -inf of groups without rows.
    exact_order : bool
        Whether `nearest` decides over the answer, so that it has to be the same anywhere.

    Attributes
    ----------
    lower : ndarray of shape (n_queries, n_groups), float64
    """

    def __init__(
        self, queries: AnyArray, centers: AnyArray, radii: Float64Array, *, exact_order: bool
    ) -> None:
        distances = exact_distances if exact_order else lower_distances
        self._distances = distances(queries, centers)
        self._distances[:, np.isneginf(radii)] = np.inf
        # Radii that overflowed make bounds of NaN or -inf, which rule no group out.
        with np.errstate(invalid="ignore"):
            self.lower = self._distances * (1 - SLACK) - radii

    def nearest(self, n_groups: int | None) -> AnyArray:
        """Which groups have the nearest centres, so many of each query; None: all of them.

        Ties go to the first groups.
        """
        if n_groups is None or n_groups >= self.lower.shape[1]:
            return np.ones(self.lower.shape, dtype=bool)
        return nearest_groups(self._distances, n_groups)

    def within(self, reach: Float64Array) -> AnyArray:
        """Which groups may have rows no farther than `reach`, shape (n_queries,), of each query."""
        return ~(self.lower > reach[:, None])


def reach_of(squared: Float64Array) -> Float64Array:
    """How far groups may be that still matter where rows at these squared distances do."""
    reach: Float64Array = np.sqrt(squared) * (1 + SLACK)
    return reach


def nearest_groups(distances: Float64Array, n_groups: int) -> AnyArray:
    """Which of a query's distances are its `n_groups` smallest, ties to the first; a mask."""
    farthest = np.partition(distances, n_groups - 1, axis=1)[:, n_groups - 1, None]
    among: AnyArray = distances <= farthest
    # Ties, or distances that are not known.
    odd = np.flatnonzero(np.count_nonzero(among, axis=1) != n_groups)
    order = np.argsort(distances[odd], axis=1, kind="stable")[:, :n_groups]
    among[odd] = False
    among[odd[:, None], order] = True
    return among


def lower_distances(queries: AnyArray, centers: AnyArray) -> Float64Array:
    """Distances of queries to centres, shape (n_queries, n_groups), or a little less."""
    shift = middle(centers)
    queries, centers = queries - shift, centers - shift
    # What overflows becomes NaN, which rules no group out.
    with np.errstate(over="ignore", invalid="ignore"):
        query_norms = np.einsum("ij,ij->i", queries, queries)[:, None]
        center_norms = np.einsum("ij,ij->i", centers, centers)
        squared = query_norms + center_norms - 2 * (queries @ centers.T)
        error = SLACK * (query_norms + center_norms)
        found: Float64Array = np.sqrt(np.maximum(squared - error, 0))
    return found


def exact_distances(queries: AnyArray, centers: AnyArray) -> Float64Array:
    """Distances of queries to centres, shape (n_queries, n_groups)."""
    squared = np.empty((len(queries), len(centers)))
    _kernels.squared_distances(queries, centers, squared)
    found: Float64Array = np.sqrt(squared)
    return found
