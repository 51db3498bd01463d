"""All rows within a radius of queries."""

from collections.abc import Iterable, Iterator
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal._validation import check_number
from shoal.data.block import Block
from shoal.exceptions import DataError, ParameterError
from shoal.neighbors.graph_file import write_graph
from shoal.neighbors.k_neighbors import check_mode
from shoal.neighbors.neighbor_model import NeighborModel
from shoal.neighbors.search_progress import searching
from shoal.statistics.rows_within import Pairs

#: Of queries whose neighbours cannot be counted beforehand.
QUERY_BYTES = 16 * 64


class RadiusNeighbors(NeighborModel):
    """Looks for all neighbours within a radius."""

    radius: float

    def radius_neighbors(
        self,
        X: Any = None,
        radius: float | None = None,
        return_distance: bool = True,
        sort_results: bool = False,
        *,
        out: str | PathLike[str] | None = None,
    ) -> Any:
        """Find all rows within a radius of each query, those at the very radius included.

        A pass over the model's rows for every 32 MB of queries; memory of the result, or with
        `out` of what is found for those queries.

        Parameters
        ----------
        X : as for ``kneighbors``
        radius : float, default=None
            By default that of the constructor.
        return_distance : bool, default=True
        sort_results : bool, default=False
            Whether rows come by rising distance; by rising number else.
        out : path, default=None
            A Parquet file to write instead, as for ``kneighbors``.

        Returns
        -------
        distances : ndarray of shape (n_queries,) of ndarrays, float64
            Only with `return_distance`.
        rows : ndarray of shape (n_queries,) of ndarrays, int64
        path : pathlib.Path
            With `out`, instead of both.

        Raises
        ------
        NotFittedError, DataError, FileError
        ParameterError
            `radius` is negative, unless it is of inner products, or no number.
        """
        if out is not None:
            return self._written(out, X, radius, return_distance, sort_results)
        counts, pairs = self._within(X, radius, sort_results)
        ends = np.cumsum(counts)[:-1]
        rows = _ragged(np.split(pairs.rows, ends))
        return (_ragged(np.split(pairs.distances, ends)), rows) if return_distance else rows

    def radius_neighbors_graph(
        self,
        X: Any = None,
        radius: float | None = None,
        mode: str = "connectivity",
        sort_results: bool = False,
    ) -> Any:
        """Find all rows within a radius of each query, as a graph.

        Parameters
        ----------
        X, radius, sort_results : as for `radius_neighbors`
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether edges are 1 or distances.

        Returns
        -------
        graph : scipy.sparse.csr_matrix of shape (n_queries, n_samples_fit), float64

        Raises
        ------
        As `radius_neighbors`.
        """
        check_mode(mode)
        counts, pairs = self._within(X, radius, sort_results)
        values = np.ones(len(pairs.rows)) if mode == "connectivity" else pairs.distances
        starts = np.concatenate([[0], np.cumsum(counts)])
        shape = (len(counts), self.n_samples_fit_)
        return sparse.csr_matrix((values, pairs.rows, starts), shape=shape)

    def _written(
        self,
        out: str | PathLike[str],
        X: Any,
        radius: float | None,
        return_distance: bool,
        sort_results: bool,
    ) -> Path:
        """The file of the neighbours of all queries."""
        n_queries, batches = self._queries(X, out)
        with searching(self, n_queries) as search:
            blocks = search.over(batches(QUERY_BYTES))
            pairs = self._pairs(blocks, radius, X is None, sort_results)
            return write_graph(out, pairs, return_distance)

    def _within(self, X: Any, radius: float | None, sort_results: bool) -> tuple[Int64Array, Pairs]:
        """How many rows are within the radius of each query, and which, query by query."""
        n_queries, batches = self._queries(X)
        with searching(self, n_queries) as search:
            blocks = search.over(batches(QUERY_BYTES))
            parts = list(self._pairs(blocks, radius, X is None, sort_results))
        if search.n_answered < n_queries:
            raise DataError("Some queries were dropped for missing values: drop them before.")
        queries = np.concatenate([part.queries for part in parts])
        rows = np.concatenate([part.rows for part in parts])
        distances = np.concatenate([part.distances for part in parts])
        return np.bincount(queries, minlength=n_queries), Pairs(queries, rows, distances)

    def _pairs(
        self, blocks: Iterable[Block], radius: float | None, own: bool, sort_results: bool
    ) -> Iterator[Pairs]:
        """The neighbours of each batch, under the queries' numbers and query by query."""
        for block in blocks:
            found = self._found(block, radius, own)
            if sort_results:
                found = _by_distance(found)
            yield Pairs(block.row_numbers[found.queries], found.rows, found.distances)

    def _found(self, block: Block, radius: float | None, own: bool) -> Pairs:
        """The neighbours of a batch of queries; of rows of the model, all but themselves."""
        found = self.index_.query_radius(block.X, self._checked_radius(radius))
        if not own:
            return found
        others = found.rows != block.row_numbers[found.queries]
        return Pairs(found.queries[others], found.rows[others], found.distances[others])

    def _checked_radius(self, radius: Any) -> float:
        """`radius`, or that of the constructor, if rows can be so far away."""
        radius = self.radius if radius is None else radius
        is_number = isinstance(radius, Real) and not isinstance(radius, bool)
        if not is_number or not float(radius) >= self._least_radius:
            raise ParameterError(
                f"radius must be a number of at least {self._least_radius}. Got {radius!r}."
            )
        return float(radius)

    @property
    def _least_radius(self) -> float:
        return -np.inf if self.metric == "inner_product" else 0

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "radius", self._least_radius)


def _by_distance(pairs: Pairs) -> Pairs:
    """The pairs, by query and rising distance."""
    order = np.lexsort((pairs.rows, pairs.distances, pairs.queries))
    return Pairs(pairs.queries[order], pairs.rows[order], pairs.distances[order])


def _ragged(parts: list[Int64Array] | list[Float64Array]) -> AnyArray:
    """An array of arrays."""
    result = np.empty(len(parts), dtype=object)
    for position, part in enumerate(parts):
        result[position] = part
    return result
