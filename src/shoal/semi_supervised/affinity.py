"""How alike rows are: the graph that labels spread on."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.metrics.pairwise import rbf_kernel
from threadpoolctl import threadpool_limits

from shoal._typing import AnyArray, Float64Array, Int64Array, Matrix
from shoal.data import plan as planning
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.plan import format_bytes
from shoal.engines.current import current_engine
from shoal.engines.local import LocalEngine
from shoal.exceptions import DataError, MemoryBudgetError, ParameterError
from shoal.neighbors.choice import build_index
from shoal.neighbors.database import Database
from shoal.neighbors.index import Index
from shoal.neighbors.k_neighbors import query_bytes
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import NO_ROW

Kernel = str | Callable[..., Any]


class Affinity(ABC):
    """The weights of a graph whose nodes are rows."""

    @abstractmethod
    def among_rows(self) -> Any:
        """W, shape (n_rows, n_rows), float64: a new CSR array or ndarray."""

    @abstractmethod
    def to(self, queries: AnyArray) -> Any:
        """The weights of edges from queries to rows, shape (n_queries, n_rows)."""

    @property
    @abstractmethod
    def query_bytes(self) -> int:
        """What is held of each query while its weights are found."""


@dataclass(frozen=True, slots=True, eq=False)
class NeighborAffinity(Affinity):
    """Weight 1 to each of the nearest rows, a row itself among them; 0 to others."""

    index: Index
    n_neighbors: int

    @classmethod
    def of(cls, rows: Dataset, n_neighbors: int) -> "NeighborAffinity":
        if n_neighbors > rows.n_rows:
            raise ParameterError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {n_neighbors}, "
                f"n_samples_fit = {rows.n_rows}, n_samples = {rows.n_rows}. Ask for fewer."
            )
        index = build_index("auto", Database.of(rows), Metric("euclidean"), leaf_size=30)
        return cls(index, n_neighbors)

    def among_rows(self) -> sparse.csr_array:
        database = self.index.database
        batches = database.batches(self.index.metric, self.query_bytes)
        return self._graph(batches, database.n_rows)

    def to(self, queries: AnyArray) -> sparse.csr_array:
        return _edges(self._nearest(queries), self.index.database.n_rows)

    @property
    def query_bytes(self) -> int:
        return query_bytes(self.n_neighbors)

    def _graph(self, batches: Iterator[Block], n_rows: int) -> sparse.csr_array:
        nearest = np.empty((n_rows, self.n_neighbors), dtype=np.int32)
        n_seen = 0
        for block in batches:
            nearest[block.row_numbers] = self._nearest(block.X)
            n_seen += block.n_rows
        require_all(n_seen, n_rows)
        return _edges(nearest, n_rows)

    def _nearest(self, queries: AnyArray) -> Int64Array:
        """Numbers of the nearest rows, nearest first, shape (n_queries, n_neighbors)."""
        rows = self.index.query(queries, self.n_neighbors).rows
        if (rows == NO_ROW).any():
            raise DataError("Rows with missing values were dropped: too few are left.")
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class KernelAffinity(Affinity):
    """Weights by a function of two matrices of rows, of each with each."""

    rows: Matrix
    kernel: Callable[[Matrix, Matrix], Any]

    @classmethod
    def rbf(cls, rows: Matrix, gamma: float) -> "KernelAffinity":
        return cls(rows.astype(np.float64, copy=False), _Rbf(gamma))

    def among_rows(self) -> Any:
        return self._weights(self.rows)

    def to(self, queries: AnyArray) -> Any:
        return self._weights(queries).T

    @property
    def query_bytes(self) -> int:
        return 16 * int(self.rows.shape[0])

    def _weights(self, queries: Matrix) -> Any:
        """Weights of rows (n_rows) to queries (n_queries), float64."""
        # More threads would add products in another order.
        with threadpool_limits(1):
            found = self.kernel(self.rows, queries)
        shape = self.rows.shape[0], queries.shape[0]
        if np.shape(found) != shape:
            raise ParameterError(
                f"The kernel gave an array of shape {np.shape(found)} for matrices of {shape[0]} "
                f"and {shape[1]} rows. It must give a weight for each two: shape {shape}."
            )
        if sparse.issparse(found):
            return sparse.csr_array(found, dtype=np.float64, copy=True)
        # A copy: what a function returns may be somebody's.
        return np.array(found, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Rbf:
    """exp(-gamma |x - y|^2)."""

    gamma: float

    def __call__(self, X: Matrix, Y: Matrix) -> Float64Array:
        found: Float64Array = rbf_kernel(X, Y.astype(np.float64, copy=False), gamma=self.gamma)
        return found


def require_all(n_seen: int, n_rows: int) -> None:
    """Raise DataError where rows were dropped."""
    if n_seen < n_rows:
        raise DataError(
            f"{n_rows - n_seen} rows with missing values were dropped, but each row is to be "
            "given a label. Remove these rows, or fill values in."
        )


def transition(weights: Any) -> Any:
    r""":math:`D^{-1} W`, with the sums of the rows in D; in place."""
    total = np.asarray(weights.sum(axis=1)).ravel()
    total[total == 0] = 1
    if sparse.issparse(weights):
        weights.data /= np.repeat(total, np.diff(weights.indptr))
    else:
        weights /= total[:, None]
    return weights


def normalised(weights: Any) -> Any:
    r""":math:`D^{-1/2} W D^{-1/2}` without W's diagonal, with sums of columns in D; in place."""
    if sparse.issparse(weights):
        rows = np.repeat(np.arange(weights.shape[0], dtype=np.int32), np.diff(weights.indptr))
        weights.data[rows == weights.indices] = 0.0
        root = _root_of_degrees(weights)
        weights.data /= root[rows]
        weights.data /= root[weights.indices]
    else:
        np.fill_diagonal(weights, 0.0)
        root = _root_of_degrees(weights)
        weights /= root
        weights /= root[:, None]
    return weights


def _root_of_degrees(weights: Any) -> Float64Array:
    """The root of the sum of each column, 1 for those of zeros, shape (n_rows,)."""
    root: Float64Array = np.sqrt(np.asarray(weights.sum(axis=0)).ravel())
    root[root == 0] = 1
    return root


def _edges(nearest: AnyArray, n_rows: int) -> sparse.csr_array:
    """The graph with an edge of weight 1 from each query to each of its nearest rows."""
    n_queries, n_neighbors = nearest.shape
    # SciPy would widen the one to the type of the other.
    dtype = np.int32 if nearest.size < 2**31 else np.int64
    starts = np.arange(0, nearest.size + 1, n_neighbors, dtype=dtype)
    indices = nearest.ravel().astype(dtype, copy=False)
    shape = (n_queries, n_rows)
    return sparse.csr_array((np.ones(len(indices)), indices, starts), shape=shape)


def require_memory(n_rows: int) -> None:
    """Raise MemoryBudgetError where a dense graph of `n_rows` rows is too large."""
    # The kernel, and the distances that it is made of.
    needed = 2 * 8 * n_rows**2
    engine = current_engine()
    budget = engine.memory_bytes if isinstance(engine, LocalEngine) else planning.memory_bytes(None)
    if needed > budget:
        raise MemoryBudgetError(
            f"kernel='rbf' joins each of {n_rows:,} rows with each: that takes "
            f"{format_bytes(needed)} of memory, and {format_bytes(budget)} may be used. "
            "kernel='knn' grows with the rows, not with their square; or give more memory."
        )
