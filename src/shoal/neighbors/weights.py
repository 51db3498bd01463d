"""What neighbours count for."""

from collections.abc import Callable
from typing import Any

import numpy as np

from shoal._typing import Float64Array, Int64Array
from shoal.exceptions import ParameterError

Weights = str | Callable[[Any], Any] | None


def check_weights(weights: Weights) -> None:
    """Raise ParameterError unless neighbours can be weighted so."""
    if not callable(weights) and weights not in {"uniform", "distance", None}:
        raise ParameterError(
            f"weights={weights!r}: it is 'uniform', 'distance' or a function of distances."
        )


def neighbor_weights(weights: Weights, distances: Float64Array) -> Float64Array:
    """The weight of each neighbour, shape (n_queries, n_neighbors).

    By distance it is :math:`1 / d`; where neighbours lie at the query itself they count 1 and
    others 0.
    """
    if callable(weights):
        found = np.asarray(weights(distances), dtype=np.float64)
        if found.shape != distances.shape:
            raise ParameterError(
                f"weights gave an array of shape {found.shape} for distances of shape "
                f"{distances.shape}. It must give a weight for each."
            )
        return found
    if weights == "distance":
        with np.errstate(divide="ignore"):
            inverse = 1.0 / distances
        infinite = np.isinf(inverse)
        at_query = infinite.any(axis=1)
        inverse[at_query] = infinite[at_query]
        return inverse
    return np.ones_like(distances)


def pair_weights(
    weights: Weights, distances: Float64Array, queries: Int64Array, n_queries: int
) -> Float64Array:
    """The weight of each pair of a query and a neighbour, which come query by query."""
    if callable(weights):
        ends = np.searchsorted(queries, np.arange(1, n_queries))
        parts = [np.asarray(weights(part)) for part in np.split(distances, ends)]
        return np.concatenate(parts).astype(np.float64)
    if weights == "distance":
        with np.errstate(divide="ignore"):
            inverse = 1.0 / distances
        at_query = np.zeros(n_queries, dtype=bool)
        at_query[queries[np.isinf(inverse)]] = True
        return np.where(at_query[queries], np.isinf(inverse), inverse)
    return np.ones_like(distances)
