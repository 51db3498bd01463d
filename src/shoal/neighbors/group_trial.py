"""What groups would spare, tried on a sample of the rows."""

import numpy as np

from shoal._typing import AnyArray
from shoal.data.open import open_dataset
from shoal.neighbors.group_bounds import SLACK, GroupBounds, reach_of
from shoal.neighbors.index import local_engine
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import NearestRows
from shoal.statistics.row_groups import RowGroups

#: Rows of the sample that are queries, and the neighbours that they look for: as far away as those
#: of many times the number among all rows.
_N_QUERIES = 128
_N_NEIGHBORS = 5


def share_within_reach(sample: AnyArray, centers: AnyArray) -> float:
    """The share of the sample in groups that bounds on its neighbours do not rule out.

    Parameters
    ----------
    sample : ndarray of shape (n_sampled, n_features)
    centers : ndarray of shape (n_groups, n_features)
        Of the type of the sample.
    """
    engine, dataset = local_engine(), open_dataset(sample)
    extents = engine.fold(dataset, RowGroups(np.ascontiguousarray(centers, sample.dtype)))
    queries = np.ascontiguousarray(sample[:: -(-len(sample) // _N_QUERIES)])
    nearest = engine.fold(dataset, NearestRows(queries, _N_NEIGHBORS, Metric("euclidean")))
    # Distances of the same bits anywhere: one index is chosen on any machine.
    radii = extents.radii * (1 + SLACK)
    bounds = GroupBounds(queries, centers, radii, exact_order=True)
    near = bounds.within(reach_of(nearest.distances[:, -1]))
    return float((near @ extents.counts).mean()) / len(sample)
