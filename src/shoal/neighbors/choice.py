"""Which index answers."""

from shoal.engines.current import current_engine
from shoal.engines.local import LocalEngine
from shoal.exceptions import ParameterError
from shoal.neighbors.brute import Brute
from shoal.neighbors.database import Database
from shoal.neighbors.group_centers import centers_of, row_sample
from shoal.neighbors.group_index import GroupIndex
from shoal.neighbors.group_trial import share_within_reach
from shoal.neighbors.grouped_blocks import GroupedBlocks
from shoal.neighbors.grouped_rows import GroupedRows
from shoal.neighbors.hnsw import HNSW
from shoal.neighbors.index import Index
from shoal.neighbors.kd_tree import KdTree
from shoal.neighbors.precomputed import Precomputed
from shoal.statistics.metric import Metric

_KINDS: tuple[type[Index], ...] = (Brute, KdTree, GroupedRows, HNSW)
_INDEXES = {kind.name: kind for kind in _KINDS}

ALGORITHMS = ("auto", *_INDEXES)

#: A k-d tree answers faster than looking at all rows where these are more than 1,400 times 2.75 to
#: the number of features. Measured with gaussian rows, docs/neighbors.md: the two meet at about
#: 75,000 rows of 4 features, 220,000 of 5, 650,000 of 6, 1,500,000 of 7.
_TREE_ROWS, _TREE_GROWTH = 1_400, 2.75

#: Where grouping rows is worth trying, and what share of the rows a query may still look at: of few
#: features, groups cost as much as all rows once queries look at a seventh of them.
_GROUPED_ROWS = 50_000
_SHARE_VISITED = 0.1


def build_index(
    algorithm: str,
    database: Database,
    metric: Metric,
    leaf_size: int,
    n_probe: int | None = None,
) -> Index:
    """The index that `algorithm` names, or that suits the rows.

    Parameters
    ----------
    algorithm : {"auto", "brute", "kd_tree", "partition", "hnsw"}
    database : Database
    metric : Metric
    leaf_size : int
    n_probe : int, default=None
    """
    if n_probe is not None and algorithm != GroupIndex.name:
        raise ParameterError(
            f"n_probe={n_probe} is for algorithm='partition', which has groups to probe, not for "
            f"{algorithm!r}. Set one of them."
        )
    if metric.name == "precomputed" and algorithm in {"auto", Precomputed.name}:
        return Precomputed.build(database, metric)
    if algorithm != "auto":
        index = _grouping() if algorithm == GroupIndex.name else _INDEXES[algorithm]
        return index.build(database, metric, leaf_size=leaf_size, n_probe=n_probe)
    if metric.is_euclidean and database.is_dense:
        if _suits_a_tree(database):
            return KdTree.build(database, metric, leaf_size=leaf_size)
        if database.n_rows >= _GROUPED_ROWS:
            return _grouped_or_not(database, metric)
    return Brute.build(database, metric)


def _suits_a_tree(database: Database) -> bool:
    """Whether rows are many, of few features and in this process, as are its threads."""
    # Of more features no number of rows is enough, and the power would overflow.
    least = _TREE_ROWS * _TREE_GROWTH ** min(database.n_features, 64)
    is_here = database.in_process and isinstance(current_engine(), LocalEngine)
    return is_here and database.n_rows >= least


def _grouping() -> type[GroupIndex]:
    """What groups rows: a copy of them in this process, or in the engine's blocks elsewhere."""
    return GroupedRows if isinstance(current_engine(), LocalEngine) else GroupedBlocks


def _grouped_or_not(database: Database, metric: Metric) -> Index:
    """Groups where queries among a sample of the rows skip most of it, else all rows."""
    sample = row_sample(database, metric)
    centers = centers_of(sample, database.n_rows)
    if share_within_reach(sample, centers) <= _SHARE_VISITED:
        return _grouping().around(database, metric, centers, None)
    return Brute.build(database, metric)
