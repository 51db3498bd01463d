"""Which index answers."""

import numpy as np

from shoal.engines.current import current_engine
from shoal.engines.local import LocalEngine
from shoal.neighbors.brute import Brute
from shoal.neighbors.database import Database
from shoal.neighbors.grouped_rows import GroupedRows
from shoal.neighbors.index import Index
from shoal.neighbors.kd_tree import KdTree
from shoal.statistics.metric import Metric

_INDEXES: dict[str, type[Index]] = {index.name: index for index in (Brute, KdTree, GroupedRows)}

ALGORITHMS = ("auto", *_INDEXES)

#: Where a k-d tree is faster than looking at all rows. Of 100,000 gaussian rows the tree answers
#: as fast as that at 6 features, and takes four times as long at 8.
_TREE_FEATURES = 6
_TREE_ROWS = 10_000

#: Where grouping rows is worth trying, and what share of the rows a query may still look at.
_GROUPED_ROWS = 50_000
_SHARE_VISITED = 0.2
_N_TRIED = 256


def build_index(algorithm: str, database: Database, metric: Metric, leaf_size: int) -> Index:
    """The index that `algorithm` names, or that suits the rows.

    Parameters
    ----------
    algorithm : {"auto", "brute", "kd_tree", "partition"}
    database : Database
    metric : Metric
    leaf_size : int
    """
    if algorithm != "auto":
        return _INDEXES[algorithm].build(database, metric, leaf_size)
    if _is_indexable(database, metric):
        if database.n_features <= _TREE_FEATURES and database.n_rows >= _TREE_ROWS:
            return KdTree.build(database, metric, leaf_size)
        if database.n_rows >= _GROUPED_ROWS:
            grouped = GroupedRows.build(database, metric)
            some = grouped.rows[:: max(1, len(grouped.rows) // _N_TRIED)]
            if grouped.share_visited(np.ascontiguousarray(some), 5) <= _SHARE_VISITED:
                return grouped
    return Brute.build(database, metric)


def _is_indexable(database: Database, metric: Metric) -> bool:
    """Whether rows are dense and in this process, and their distances euclidean."""
    return metric.is_euclidean and database.in_process and isinstance(current_engine(), LocalEngine)
