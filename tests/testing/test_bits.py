from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse

from shoal.testing.bits import bits


@dataclass
class Pair:
    a: object
    b: object


SAME = [
    (np.nan, float("nan")),
    (np.arange(3.0), np.arange(6.0)[::2] / 2),
    (Pair(np.ones(2), "x"), Pair(np.ones(2), "x")),
    ({"a": [1, None]}, {"a": (1, None)}),
    (np.array(["a", None], dtype=object), np.array(["a", None], dtype=object)),
    (sparse.csr_array(np.eye(2)), sparse.csr_array(np.eye(2))),
]
DIFFERENT = [
    (0.0, -0.0),
    (1.0, np.nextafter(1.0, 2.0)),
    (np.float32(1), np.float64(1)),
    (np.ones(2), np.ones((2, 1))),
    (Pair(1, 2), Pair(2, 1)),
    ({"a": 1}, {"b": 1}),
    (np.array(["a", None], dtype=object), np.array(["a", "b"], dtype=object)),
    (sparse.csr_array(np.eye(2)), sparse.csr_array(np.eye(2)[::-1])),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same_bits(one, other):
    assert bits(one) == bits(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_bits(one, other):
    assert bits(one) != bits(other)
