"""The k nearest rows of queries."""

from collections.abc import Iterator
from itertools import starmap
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from scipy import sparse

from shoal._typing import AnyArray, Int64Array
from shoal._validation import check_number
from shoal.data.block import Block
from shoal.exceptions import DataError, ParameterError
from shoal.neighbors.graph_file import write_graph
from shoal.neighbors.neighbor_model import NeighborModel
from shoal.neighbors.search_progress import searching
from shoal.statistics.nearest_rows import NO_ROW, Neighbors
from shoal.statistics.rows_within import Pairs


class KNeighbors(NeighborModel):
    """Looks for a number of neighbours."""

    n_neighbors: int

    def kneighbors(
        self,
        X: Any = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        out: str | PathLike[str] | None = None,
    ) -> Any:
        """Find the nearest rows of each query.

        A pass over the model's rows for every 32 MB of queries and what is found for them, less
        where the engine's memory is small; memory of the result, or with `out` of what is found
        for those queries. Distances are taken in float64, and equal ones go to the lower row: the
        answer is that of looking at every pair in float64, whatever the engine, blocks, threads
        and index.

        Parameters
        ----------
        X : path, array-like, sparse matrix, data frame, Dask collection or Dataset, default=None
            The queries. None: each of the model's rows among all others.
        n_neighbors : int, default=None
            How many; by default those of the constructor.
        return_distance : bool, default=True
        out : path, default=None
            A Parquet file to write instead, of a row a query and neighbour, by query and nearest
            first: ``query`` and ``neighbor``, int64 row numbers, and ``distance``, float64.
            Dropped queries have no rows. It appears whole or not at all. Without `X` it is the
            graph of all neighbours, as a list of edges.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), float64
            Only with `return_distance`. NaN for queries dropped by ``missing="drop"``.
        rows : ndarray of shape (n_queries, n_neighbors), int64
            Numbers of the rows, nearest first. -1 for dropped queries.
        path : pathlib.Path
            With `out`, instead of both.

        Raises
        ------
        NotFittedError, DataError, FileError
        ParameterError
            `n_neighbors` is not positive, or more than there are rows.
        """
        n_queries, batches = self._queries(X, out)
        k = self.checked_n_neighbors(n_neighbors, n_queries, X is None)
        with searching(self, n_queries) as search:
            found = (
                (block.row_numbers, self._nearest(block, k, X is None))
                for block in search.over(batches(query_bytes(k)))
            )
            if out is not None:
                return write_graph(out, starmap(_pairs, found), return_distance)
            distances = np.full((n_queries, k), np.nan)
            rows = np.full((n_queries, k), -1, dtype=np.int64)
            for queries, nearest in found:
                distances[queries], rows[queries] = nearest.distances, nearest.rows
        return (distances, rows) if return_distance else rows

    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> Any:
        """Find the nearest rows of each query, as a graph.

        Parameters
        ----------
        X, n_neighbors : as for `kneighbors`
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether edges are 1 or distances.

        Returns
        -------
        graph : scipy.sparse.csr_matrix of shape (n_queries, n_samples_fit), float64
            `n_neighbors` entries a row, nearest first.

        Raises
        ------
        As `kneighbors`.
        """
        check_mode(mode)
        distances, rows = self.kneighbors(X, n_neighbors)
        if (rows < 0).any():
            raise DataError("A graph has a node for each query, but some queries were dropped.")
        values = np.ones(rows.size) if mode == "connectivity" else distances.ravel()
        starts = np.arange(len(rows) + 1) * rows.shape[1]
        shape = (len(rows), self.n_samples_fit_)
        return sparse.csr_matrix((values, rows.ravel(), starts), shape=shape)

    def _nearest(self, block: Block, n_neighbors: int, own: bool) -> Neighbors:
        """The neighbours of a batch of queries; of rows of the model, all but themselves."""
        found = self.index_.query(block.X, n_neighbors + own)
        if own:
            found = _without_self(found, block.row_numbers)
        if (found.rows == NO_ROW).any():
            raise DataError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {n_neighbors} and "
                "rows with missing values were dropped, or a sparse metric='precomputed' does not "
                "store as many distances: too few are left. Ask for fewer."
            )
        return found

    def _nearest_batches(
        self, X: Any, out: str | PathLike[str] | None, beside_bytes: int
    ) -> tuple[int, Iterator[Block]]:
        """How many queries there are, and these batch by batch, with so many bytes beside each."""
        n_queries, batches = self._queries(X, out)
        k = self.checked_n_neighbors(None, n_queries, X is None)
        return n_queries, batches(query_bytes(k) + beside_bytes)

    def checked_n_neighbors(self, n_neighbors: Any, n_queries: int, own: bool = False) -> int:
        """`n_neighbors`, or that of the constructor, if there are as many rows."""
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        if isinstance(k, bool) or not isinstance(k, Integral):
            raise ParameterError(f"n_neighbors does not take {type(k)} value, enter integer value")
        k = int(k)
        if k <= 0:
            raise ParameterError(f"Expected n_neighbors > 0. Got {k}")
        if k + own > self.n_samples_fit_:
            raise ParameterError(
                f"Expected n_neighbors {'<' if own else '<='} n_samples_fit, but n_neighbors = "
                f"{k}, n_samples_fit = {self.n_samples_fit_}, n_samples = {n_queries}. Ask for "
                "fewer."
            )
        return k

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "n_neighbors", 1, integer=True)


def query_bytes(n_neighbors: int) -> int:
    """What is held of each query while neighbours are looked for: pairs, and candidates."""
    return 16 * 4 * n_neighbors + 8 * (2 * n_neighbors + 16)


def _pairs(queries: Int64Array, found: Neighbors) -> Pairs:
    """The neighbours of queries of these numbers, one by one."""
    k = found.rows.shape[1]
    return Pairs(np.repeat(queries, k), found.rows.ravel(), found.distances.ravel())


def _without_self(found: Neighbors, own: AnyArray) -> Neighbors:
    """One neighbour fewer each: not itself, or the last where equal rows came before it."""
    drop = found.rows == own[:, None]
    drop[~drop.any(axis=1), -1] = True
    shape = (len(own), found.rows.shape[1] - 1)
    return Neighbors(found.distances[~drop].reshape(shape), found.rows[~drop].reshape(shape))


def check_mode(mode: str) -> None:
    """Raise ParameterError unless a graph can have such edges."""
    if mode not in {"connectivity", "distance"}:
        raise ParameterError(
            f'Unsupported mode, must be one of "connectivity", or "distance" but got "{mode}" '
            "instead"
        )
