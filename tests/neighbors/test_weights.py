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
