"""Centres to group rows around."""

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from shoal import _kernels
from shoal._typing import AnyArray
from shoal.cluster.kmeans import KMeans
from shoal.engines.current import current_engine
from shoal.engines.local import LocalEngine
from shoal.neighbors.database import Database
from shoal.statistics.keyed_sample import KeyedSample
from shoal.statistics.metric import Metric
from shoal.statistics.purpose import Purpose

#: Groups are found from a sample of so many rows each, where these take no more than so many bytes:
#: as large as budgets are small, and never of them, so that they decide nothing.
_ROWS_A_GROUP = 32
_SAMPLE_BYTES = 2 * 2**20
_LEAST_ROWS_A_GROUP = 8
_FIRST_ROWS_A_GROUP = 4
_N_STEPS = 2

#: More groups take longer to be told apart than they spare.
_MOST_GROUPS = 1024

_SEED = 0


def group_centers(database: Database, metric: Metric) -> AnyArray:
    """Centres of half as many groups as a group has rows, from a sample of the rows.

    They depend on the rows alone. First centres that are spread out by k-means++ leave no blob of
    rows without one; a small part of the sample is enough for that, and takes no time.

    Returns
    -------
    centers : ndarray of shape (n_groups, n_features), of the type of the rows
    """
    return centers_of(row_sample(database, metric), database.n_rows)


def row_sample(database: Database, metric: Metric) -> AnyArray:
    """Some rows, by key: enough to find groups from, shape (n_sampled, n_features)."""
    dtype = metric.dtype(database.dtype)
    wanted = _ROWS_A_GROUP * _n_groups(database.n_rows)
    size = max(_LEAST_ROWS_A_GROUP, _SAMPLE_BYTES // (database.n_features * dtype.itemsize))
    size = min(size, wanted)
    engine = current_engine()
    sample = KeyedSample(size, database.n_features, dtype, _SEED, Purpose.GROUPS).zero()
    for number, part in enumerate(database.typed(dtype, metric)):
        drawn = KeyedSample(size, database.n_features, dtype, _SEED + number, Purpose.GROUPS)
        sample = drawn.merge(sample, engine.fold(part, drawn))
    return sample.X


def centers_of(sample: AnyArray, n_rows: int) -> AnyArray:
    """Centres of the groups of `n_rows` rows, from a sample of them."""
    n_groups = max(1, min(_n_groups(n_rows), len(sample) // _LEAST_ROWS_A_GROUP))
    # Scaled by a power of two, so that no sum of squares overflows.
    _, exponent = np.frexp(np.abs(sample).max())
    scaled = np.ldexp(sample, -exponent)
    with warnings.catch_warnings(), _local():
        # Groups without rows do no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        few = scaled[:: max(1, len(scaled) // (_FIRST_ROWS_A_GROUP * n_groups))]
        kmeans = KMeans(n_groups, init=_spread_rows(few, n_groups), n_init=1, max_iter=_N_STEPS)
        return np.asarray(np.ldexp(kmeans.fit(scaled).cluster_centers_, exponent))


def _spread_rows(rows: AnyArray, n_chosen: int) -> AnyArray:
    """Rows far from each other, shape (n_chosen, n_features).

    k-means++ with one draw a centre (Arthur and Vassilvitskii, "k-means++: the advantages of
    careful seeding", 2007), on distances whose bits are the same anywhere: drawing several
    candidates, as scikit-learn does, takes eight times as long and spares no query a group.
    """
    draws = np.random.Generator(np.random.Philox(key=[_SEED, Purpose.SPREAD_ROWS])).random(n_chosen)
    chosen = [int(draws[0] * len(rows))]
    squared = np.full((len(rows), 1), np.inf)
    latest = np.empty_like(squared)
    for draw in draws[1:]:
        _kernels.squared_distances(rows, rows[chosen[-1:]], latest)
        np.minimum(squared, latest, out=squared)
        sums = np.cumsum(squared)
        place = np.searchsorted(sums, draw * sums[-1], side="right")
        chosen.append(min(int(place), len(rows) - 1))
    return rows[chosen]


def _local() -> AbstractContextManager[Any]:
    """What makes an engine of this process the current one."""
    return nullcontext() if isinstance(current_engine(), LocalEngine) else LocalEngine()


def _n_groups(n_rows: int) -> int:
    return max(1, min(int(np.sqrt(n_rows / 2)), _MOST_GROUPS))
