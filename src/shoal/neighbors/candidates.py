"""From candidates, however they were found, to the nearest of them."""

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray, Int64Array
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import Neighbors
from shoal.statistics.rows_within import Pairs

#: Pairs whose distances are taken at a time.
_PAIRS = 1 << 16


def measured(queries: AnyArray, rows: AnyArray, which: Int64Array, places: Int64Array) -> Pairs:
    """Pairs of queries and rows, with squared distances by the difference form in float64.

    Parameters
    ----------
    queries, rows : ndarray of shape (n_queries, n_features) and (n_rows, n_features)
    which, places : ndarray of shape (n_pairs,)
        Query and row of each pair; places where there is no row are left out.
    """
    dtype = np.result_type(queries, rows)
    queries = np.asarray(queries, dtype=dtype)
    rows = np.ascontiguousarray(rows, dtype=dtype)
    here = (places >= 0) & (places < len(rows))
    which, places = which[here], places[here]
    distances = np.empty(len(which))
    for start in range(0, len(which), _PAIRS):
        part = slice(start, start + _PAIRS)
        _kernels.own_distances(
            queries[which[part]], rows, places[part].astype(np.int32), distances[part]
        )
    return Pairs(which, places, distances)


def nearest_of(pairs: Pairs, n_queries: int, n_neighbors: int, metric: Metric) -> Neighbors:
    """The nearest rows of each query among pairs with squared distances."""
    found = pairs.queries, pairs.rows, pairs.distances
    nearest = Neighbors.of_pairs(*found, (n_queries, n_neighbors))
    return Neighbors(metric.distances(nearest.distances), nearest.rows)
