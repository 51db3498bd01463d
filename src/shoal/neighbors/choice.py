"""Which index answers."""

from shoal.neighbors.brute import Brute
from shoal.neighbors.database import Database
from shoal.neighbors.index import Index
from shoal.statistics.metric import Metric

_INDEXES: dict[str, type[Index]] = {"brute": Brute}

ALGORITHMS = ("auto", *_INDEXES)


def build_index(algorithm: str, database: Database, metric: Metric) -> Index:
    """The index that `algorithm` names, or that suits the rows.

    Parameters
    ----------
    algorithm : {"auto", "brute"}
    database : Database
    metric : Metric
    """
    if algorithm == "auto":
        algorithm = "brute"
    return _INDEXES[algorithm].build(database, metric)
