"""What neighbours count for."""

import numpy as np
import pytest

from shoal.exceptions import ParameterError
from shoal.neighbors.weights import check_weights, neighbor_weights, pair_weights

DISTANCES = np.array([[1.0, 2.0], [0.0, 4.0]])


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("uniform", [[1, 1], [1, 1]]),
        (None, [[1, 1], [1, 1]]),
        ("distance", [[1, 0.5], [1, 0]]),
        (lambda distances: distances + 1, [[2, 3], [1, 5]]),
    ],
)
def test_weights_of_neighbours_and_of_pairs(weights, expected):
    check_weights(weights)
    assert neighbor_weights(weights, DISTANCES).tolist() == expected
    pairs = pair_weights(weights, DISTANCES.ravel(), np.array([0, 0, 2, 2]), 3)
    assert pairs.tolist() == np.ravel(expected).tolist()


def test_bad_weights():
    with pytest.raises(ParameterError, match="weights='near'"):
        check_weights("near")
    with pytest.raises(ParameterError, match=r"shape \(2,\) for distances of shape \(2, 2\)"):
        neighbor_weights(lambda distances: distances[0], DISTANCES)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda distances: distances[..., :1], r"shape .*1,?\) for distances of shape"),
        (lambda distances: None, "an array of object"),
        (lambda distances: distances.astype(str), "an array of <U32"),
        (lambda distances: np.where(distances, 1.0, np.inf), r"gave inf for a distance of 0\.0"),
        (lambda distances: distances * np.nan, r"gave nan for a distance of 1\.0"),
    ],
)
def test_what_a_function_gives_must_be_a_number_for_each(weights, message):
    with pytest.raises(ParameterError, match=message):
        neighbor_weights(weights, DISTANCES)
    with pytest.raises(ParameterError, match=message):
        pair_weights(weights, DISTANCES.ravel(), np.array([0, 0, 2, 2]), 3)


def test_a_function_is_not_asked_for_queries_without_neighbours():
    found = pair_weights(lambda d: d / d.max(), np.array([1.0, 2.0]), np.array([1, 1]), 3)
    assert found.tolist() == [0.5, 1.0]
    assert pair_weights(np.exp, np.empty(0), np.empty(0, dtype=np.int64), 2).tolist() == []
