"""What indexes of rows in groups share."""

from abc import abstractmethod
from typing import ClassVar, Self

from shoal._typing import AnyArray
from shoal.neighbors.database import Database
from shoal.neighbors.group_centers import group_centers
from shoal.neighbors.index import Index, require_euclidean
from shoal.statistics.metric import Metric

#: Near groups are visited before others: the sooner neighbours are near, the more are ruled out.
FIRST_GROUPS = 4


class GroupIndex(Index):
    """An index of rows that are grouped around centres."""

    name: ClassVar[str] = "partition"

    @classmethod
    def build(
        cls,
        database: Database,
        metric: Metric,
        *,
        leaf_size: int = 30,
        n_probe: int | None = None,
    ) -> Self:
        require_euclidean(metric, cls.name)
        return cls.around(database, metric, group_centers(database, metric), n_probe)

    @classmethod
    @abstractmethod
    def around(
        cls, database: Database, metric: Metric, centers: AnyArray, n_probe: int | None
    ) -> Self:
        """The index whose groups have these centres, shape (n_groups, n_features)."""
