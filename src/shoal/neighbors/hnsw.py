"""A graph of small worlds, by faiss: approximate neighbours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.dataset import Dataset
from shoal.neighbors.candidates import measured, nearest_of
from shoal.neighbors.database import Database
from shoal.neighbors.index import Index, local_engine, require_euclidean
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import NO_ROW, Neighbors
from shoal.statistics.rows_within import Pairs

#: Neighbours of a node, and candidates that are looked at as one is added: faiss's own choices.
_LINKS = 32
_CANDIDATES_OF_ROW = 40

#: Candidates that a query looks at, at least, and for each neighbour it asks for.
_LEAST_CANDIDATES = 64
_CANDIDATES_A_NEIGHBOR = 4


@dataclass(frozen=True, slots=True, eq=False)
class HNSW(Index):
    """A hierarchy of navigable small worlds: queries walk a graph towards their neighbours.

    It misses some neighbours, but the distances of those it gives are those of the other indexes:
    faiss finds candidates, in float32, and their distances are taken again in float64. The graph is
    built by one thread, so that the same rows give the same graph. It holds two dense copies of
    the rows. Removing rows builds another graph; rows within a radius are looked for among all.

    References
    ----------
    Yu. A. Malkov and D. A. Yashunin, "Efficient and robust approximate nearest neighbor search
    using hierarchical navigable small world graphs", IEEE TPAMI 42 (2020).
    """

    name: ClassVar[str] = "hnsw"
    database: Database
    metric: Metric
    rows: AnyArray
    numbers: Int64Array
    frame: "Frame"
    graph: Any

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
        faiss = _faiss()
        rows, numbers = database.dense(metric)
        frame = Frame.of(rows)
        graph = faiss.IndexHNSWFlat(rows.shape[1], _LINKS)
        graph.hnsw.efConstruction = _CANDIDATES_OF_ROW
        _insert(graph, frame.fitted(rows))
        return cls(database, metric, rows, numbers, frame, graph)

    def query(self, queries: AnyArray, n_neighbors: int) -> Neighbors:
        faiss = _faiss()
        n_candidates = max(_LEAST_CANDIDATES, _CANDIDATES_A_NEIGHBOR * n_neighbors)
        parameters = faiss.SearchParametersHNSW(efSearch=n_candidates)
        with _threads(local_engine().n_threads):
            # More than are asked for, since float32 confuses those that are as near.
            wanted = min(2 * n_neighbors, len(self.rows))
            _, places = self.graph.search(self.frame.fitted(queries), wanted, params=parameters)
        which = np.repeat(np.arange(len(queries)), wanted)
        pairs = measured(queries, self.rows, which, places.ravel())
        numbered = Pairs(pairs.queries, self.numbers[pairs.rows], pairs.distances)
        found = nearest_of(numbered, len(queries), n_neighbors, self.metric)
        lacking = found.rows[:, -1] == NO_ROW
        if lacking.any():
            exact = self.database.nearest(queries[lacking], n_neighbors, self.metric)
            found.distances[lacking], found.rows[lacking] = exact.distances, exact.rows
        return found

    def query_radius(self, queries: AnyArray, radius: float) -> Pairs:
        return self.database.within(queries, radius, self.metric)

    def add(self, dataset: Dataset) -> Self:
        rows, numbers = Database.of(dataset).dense(self.metric)
        graph = _faiss().clone_index(self.graph)
        _insert(graph, self.frame.fitted(rows))
        return type(self)(
            self.database.with_rows(dataset),
            self.metric,
            np.concatenate([self.rows, rows]),
            np.concatenate([self.numbers, numbers + self.database.n_rows]),
            self.frame,
            graph,
        )

    def remove(self, rows: Int64Array) -> Self:
        return self.build(self.database.without_rows(rows), self.metric)

    def __reduce__(self) -> tuple[Any, ...]:
        graph = _faiss().serialize_index(self.graph)
        return _made, (self.database, self.metric, self.rows, self.numbers, self.frame, graph)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Where float32 serves best: about the middle of the rows, at their magnitude.

    Parameters
    ----------
    middle : ndarray of shape (n_features,), float64
    exponent : int
        Values are divided by 2 to this power.
    """

    middle: Float64Array
    exponent: int

    @classmethod
    def of(cls, rows: AnyArray) -> "Frame":
        # Halves, so that no sum overflows.
        middle = rows.min(axis=0).astype(np.float64) / 2 + rows.max(axis=0).astype(np.float64) / 2
        _, exponent = np.frexp(max(np.abs(rows / 2 - middle / 2).max(), np.finfo(np.float64).tiny))
        return cls(middle, int(exponent))

    def fitted(self, rows: AnyArray) -> AnyArray:
        """Rows in this frame, float32."""
        halves = rows / 2 - self.middle / 2
        # Queries may lie far from all rows.
        with np.errstate(over="ignore"):
            scaled = np.ldexp(halves, -self.exponent)
        return np.clip(scaled, -1e9, 1e9).astype(np.float32)


def _insert(graph: Any, rows: AnyArray) -> None:
    """Add rows to a graph on one thread: several would race for its links."""
    with _threads(1):
        graph.add(rows)


@contextmanager
def _threads(n_threads: int) -> Iterator[None]:
    """Let faiss use so many threads."""
    faiss = _faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n_threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _made(
    database: Database,
    metric: Metric,
    rows: AnyArray,
    numbers: Int64Array,
    frame: Frame,
    graph: AnyArray,
) -> HNSW:
    return HNSW(database, metric, rows, numbers, frame, _faiss().deserialize_index(graph))


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "algorithm='hnsw' needs faiss, which is not installed: pip install 'shoal[hnsw]'. "
            "algorithm='partition' with n_probe is approximate without it."
        ) from error
    return faiss
