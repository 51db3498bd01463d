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
        return _called(weights, distances)
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
        # Many a function has no answer for no distances.
        parts = [part for part in np.split(distances, ends) if len(part)]
        return np.concatenate([np.empty(0), *(_called(weights, part) for part in parts)])
    if weights == "distance":
        with np.errstate(divide="ignore"):
            inverse = 1.0 / distances
        at_query = np.zeros(n_queries, dtype=bool)
        at_query[queries[np.isinf(inverse)]] = True
        return np.where(at_query[queries], np.isinf(inverse), inverse)
    return np.ones_like(distances)


def _called(weights: Callable[[Any], Any], distances: Float64Array) -> Float64Array:
    """What a function gives as weights, if that is a finite number for each distance."""
    found = np.asarray(weights(distances))
    if found.shape != distances.shape or found.dtype.kind not in "biuf":
        raise ParameterError(
            f"weights gave an array of {found.dtype} of shape {found.shape} for distances of shape "
            f"{distances.shape}. It must give a number for each."
        )
    if not np.isfinite(found).all():
        bad = np.argmin(np.isfinite(found))
        raise ParameterError(
            f"weights gave {found.flat[bad]} for a distance of {distances.flat[bad]}. It must give "
            "finite numbers; weights='distance' is 1 / d that also takes distances of 0."
        )
    return found.astype(np.float64)
