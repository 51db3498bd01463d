"""All rows within a radius of queries."""

from typing import Any

import numpy as np
from scipy import sparse

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal._validation import check_number
from shoal.data.block import Block
from shoal.exceptions import DataError
from shoal.neighbors.k_neighbors import check_mode
from shoal.neighbors.neighbor_model import NeighborModel
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
    ) -> Any:
        """Find all rows within a radius of each query, those at the very radius included.

        A pass over the model's rows for every 32 MB of queries; memory of the result.

        Parameters
        ----------
        X : as for ``kneighbors``
        radius : float, default=None
            By default that of the constructor.
        return_distance : bool, default=True
        sort_results : bool, default=False
            Whether rows come by rising distance; by rising number else.

        Returns
        -------
        distances : ndarray of shape (n_queries,) of ndarrays, float64
            Only with `return_distance`.
        rows : ndarray of shape (n_queries,) of ndarrays, int64

        Raises
        ------
        NotFittedError, DataError, FileError
        """
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

    def _within(self, X: Any, radius: float | None, sort_results: bool) -> tuple[Int64Array, Pairs]:
        """How many rows are within the radius of each query, and which, query by query."""
        n_queries, batches = self._queries(X)
        parts, n_seen = [Pairs.none()], 0
        for block in batches(QUERY_BYTES):
            found = self._found(block, radius, X is None)
            numbers = block.row_numbers
            parts.append(Pairs(numbers[found.queries], found.rows, found.distances))
            n_seen += block.n_rows
        if n_seen < n_queries:
            raise DataError("Some queries were dropped for missing values: drop them before.")
        pairs = Pairs.joined(parts)
        if sort_results:
            order = np.lexsort((pairs.rows, pairs.distances, pairs.queries))
            pairs = Pairs(pairs.queries, pairs.rows[order], pairs.distances[order])
        return np.bincount(pairs.queries, minlength=n_queries), pairs

    def _found(self, block: Block, radius: float | None, own: bool) -> Pairs:
        """The neighbours of a batch of queries; of rows of the model, all but themselves."""
        found = self.index_.query_radius(block.X, self.radius if radius is None else radius)
        if not own:
            return found
        others = found.rows != block.row_numbers[found.queries]
        return Pairs(found.queries[others], found.rows[others], found.distances[others])

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "radius", -np.inf if self.metric == "inner_product" else 0)


def _ragged(parts: list[Int64Array] | list[Float64Array]) -> AnyArray:
    """An array of arrays."""
    result = np.empty(len(parts), dtype=object)
    for position, part in enumerate(parts):
        result[position] = part
    return result
