"""The conformance suite of indexes of neighbours."""

from collections.abc import Callable

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.open import open_dataset
from shoal.neighbors.database import Database
from shoal.neighbors.index import Index

#: Whole numbers, few of them: many rows are equal, many distances tie, and all are exact.
_N_ROWS, _N_QUERIES, _LARGEST = 600, 40, 4
_RADII = (0.0, 1.0, 2.0)


def check_index(
    build: Callable[[Database], Index], *, n_features: int = 3, exact: bool = True
) -> None:
    """Check that an index keeps the promises of `Index`, by euclidean distances.

    It gives the smallest pairs of distance and row number, of any number of neighbours up to all
    rows, and all rows within a radius; adding and removing rows make an index equal to that of
    the rows that remain, and leave the one they began with as it was. An approximate index has to
    give true distances, in order, of rows that are there, none of them twice.

    Parameters
    ----------
    build : callable
        The index of a `Database`, by the metric "euclidean".
    n_features : int, default=3
        Of the rows it is checked on.
    exact : bool, default=True
        Whether it says that it finds all neighbours.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.
    """
    rows = _whole_numbers(_N_ROWS, n_features, seed=0)
    queries = _whole_numbers(_N_QUERIES, n_features, seed=1)
    more = _whole_numbers(_N_ROWS // 3, n_features, seed=2)
    index = build(Database.of_array(rows))
    _check_answers(index, rows, queries, exact)

    grown = index.add(open_dataset(more))
    both = np.concatenate([rows, more])
    _check_answers(grown, both, queries, exact)
    gone = np.arange(5, len(both), 3)
    _check_answers(grown.remove(gone), np.delete(both, gone, axis=0), queries, exact)
    _check_answers(index, rows, queries, exact)


def _whole_numbers(n_rows: int, n_features: int, seed: int) -> Float64Array:
    generator = np.random.default_rng(seed)
    return generator.integers(0, _LARGEST, (n_rows, n_features)).astype(np.float64)


def _check_answers(index: Index, rows: AnyArray, queries: AnyArray, exact: bool) -> None:
    distances = np.sqrt(((queries[:, None, :] - rows[None]) ** 2).sum(axis=2))
    order = np.argsort(distances, axis=1, kind="stable")
    for n_neighbors in (1, 7, len(rows)):
        found = index.query(queries, n_neighbors)
        if exact:
            assert (found.rows == order[:, :n_neighbors]).all(), (
                f"these are not the {n_neighbors} nearest of {len(rows)} rows"
            )
        _check_pairs(found.rows, found.distances, distances)
    for radius in _RADII:
        pairs = index.query_radius(queries, radius)
        expected = np.argwhere(distances <= radius)
        if exact:
            assert np.array_equal(np.column_stack([pairs.queries, pairs.rows]), expected), (
                f"these are not the rows within {radius:g}, by query and then by row"
            )
        there = distances[pairs.queries, pairs.rows]
        assert (pairs.distances == there).all(), "distances within a radius are not the rows'"


def _check_pairs(rows: Int64Array, found: Float64Array, distances: Float64Array) -> None:
    """Rows (n_queries, k) must be different ones, in order, at the distances that are told."""
    there = np.isfinite(found)
    assert (np.diff(there.astype(int), axis=1) <= 0).all(), "a missing neighbour is not the last"
    safe = np.where(there, rows, 0)
    told = np.take_along_axis(distances, safe, axis=1)
    assert (told == found)[there].all(), "distances are not those of the rows"
    ordered = np.lexsort((np.where(there, rows, np.iinfo(np.int64).max), found), axis=1)
    assert (ordered == np.arange(rows.shape[1])).all(), "neighbours are out of order"
    for query, kept in zip(rows, there, strict=True):
        assert len(np.unique(query[kept])) == kept.sum(), "a row is found twice"
