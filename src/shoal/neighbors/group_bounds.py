"""How near rows of groups can be to queries, by the triangle inequality."""

from typing import Any

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.statistics.nearest_rows import middle

#: Far more than the relative error of a distance in float64 of up to a million features.
SLACK = 1e-9

#: Far farther than any row, and not infinitely far, as groups are that do not matter.
_FAR = np.finfo(np.float64).max

#: Bounds are made for so many queries at a time, which stay in cache.
_STRIP_QUERIES = 256


class GroupBounds:
    r"""Lower bounds on the distances of queries to the rows of groups.

    No row of a group with centre :math:`c` and radius :math:`r` is nearer to :math:`q` than
    :math:`|q - c| - r`; radii and reaches are larger by `SLACK`, more than rounding errors.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, n_features)
    centers : ndarray of shape (n_groups, n_features)
        Of the type of the queries.
    radii : ndarray of shape (n_groups,), float64
        Larger by `SLACK`; -inf of groups without rows.
    exact_order : bool
        Whether `nearest` decides over the answer, so that it has to be the same anywhere.

    Attributes
    ----------
    distances : ndarray of shape (n_queries, n_groups), float64
        To centres, or a little less; infinite of groups that do not matter, or no longer.
    """

    def __init__(
        self, queries: AnyArray, centers: AnyArray, radii: Float64Array, *, exact_order: bool
    ) -> None:
        self._queries, self._centers = queries, centers
        distances = exact_distances if exact_order else lower_distances
        self.distances = distances(queries, centers)
        # Of a distance that overflowed nothing is known, so that it rules no group out.
        self.distances[np.isinf(self.distances)] = np.nan
        is_empty = np.isneginf(radii)
        self.distances[:, is_empty] = np.inf
        self._radii = np.where(is_empty, 0.0, radii)

    def nearest(self, n_groups: int | None, which: Any = slice(None)) -> AnyArray:
        """Which groups have the nearest centres, so many of each query; None: all of them.

        Ties go to the first groups. Of the queries `which`, shape (n_which, n_groups).
        """
        distances = self.distances[which]
        if n_groups is None or n_groups >= distances.shape[1]:
            return np.ones(distances.shape, dtype=bool)
        return nearest_groups(distances, n_groups)

    def farthest(self, are_enough: AnyArray) -> Float64Array:
        """How far the farthest row is, at most, of the group for which that is least.

        Of the groups of the mask `are_enough`, shape (n_queries,); infinite where there are none.
        """
        if not are_enough.any():
            return np.full(len(self._queries), np.inf)
        distances = exact_distances(self._queries, self._centers[are_enough])
        farthest: Float64Array = (distances + self._radii[are_enough]).min(axis=1) * (1 + SLACK)
        return farthest

    def within(self, reach: Float64Array, which: Any = slice(None)) -> AnyArray:
        """Which groups may have rows no farther than `reach` from the queries `which`.

        `reach` is of shape (n_which,), the result of shape (n_which, n_groups).
        """
        distances = self.distances[which]
        near = np.empty(distances.shape, dtype=bool)
        for start in range(0, len(near), _STRIP_QUERIES):
            some = slice(start, start + _STRIP_QUERIES)
            limits = np.minimum(reach[some, None] + self._radii, _FAR)
            near[some] = ~(distances[some] > limits)
        return near

    def still_within(self, reach: Float64Array, which: Int64Array, group: int) -> AnyArray:
        """Which of the queries `which` one group may have rows within reach of, a mask."""
        limits = np.minimum(reach + self._radii[group], _FAR)
        near: AnyArray = ~(self.distances[which, group] > limits)
        return near


def reach_of(squared: Float64Array) -> Float64Array:
    """How far groups may be that still matter where rows at these squared distances do."""
    reach: Float64Array = np.sqrt(np.maximum(squared, 0)) * (1 + SLACK)
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
    centers = centers - shift
    found = np.empty((len(queries), len(centers)))
    # What overflows becomes NaN, which rules no group out.
    with np.errstate(over="ignore", invalid="ignore"):
        center_norms = np.einsum("ij,ij->i", centers, centers)
        for start in range(0, len(queries), _STRIP_QUERIES):
            some = queries[start : start + _STRIP_QUERIES] - shift
            norms = np.einsum("ij,ij->i", some, some)[:, None] + center_norms
            squared = some @ centers.T
            squared *= -2
            squared += norms * (1 - SLACK)
            np.maximum(squared, 0, out=squared)
            np.sqrt(squared, out=found[start : start + _STRIP_QUERIES])
    return found


def exact_distances(queries: AnyArray, centers: AnyArray) -> Float64Array:
    """Distances of queries to centres, shape (n_queries, n_groups)."""
    squared = np.empty((len(queries), len(centers)))
    _kernels.squared_distances(queries, centers, squared)
    found: Float64Array = np.sqrt(squared)
    return found
