"""Few labels among many targets: against NumPy's comparisons."""

import numpy as np
import pytest

DTYPES = [np.int8, np.int32, np.int64, np.float32, np.float64]


@pytest.mark.parametrize("n", [0, 1, 31, 1024, 5000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_labels_are_counted_and_valued(dtype, n, kernels, rng):
    labels, values = np.array([-3, 0, 5], dtype), np.array([1.5, -0.0, np.inf])
    places = rng.integers(0, 3, n)
    target, counts, found = labels[places], np.ones(3, np.int64), np.empty(n)
    assert kernels.count_labels(target, labels, counts)
    assert kernels.label_values(target, labels, values, found)
    np.testing.assert_array_equal(counts, 1 + np.bincount(places, minlength=3))
    assert found.tobytes() == values[places].tobytes()


@pytest.mark.parametrize("row", [0, 1023, 1024, 2999])
@pytest.mark.parametrize("dtype", DTYPES)
def test_targets_of_no_label_are_noticed(dtype, row, kernels):
    target, labels = np.zeros(3000, dtype), np.array([0, 1], dtype)
    target[row] = 2
    assert not kernels.count_labels(target, labels, np.zeros(2, np.int64))
    assert not kernels.label_values(target, labels, np.zeros(2), np.empty(3000))


def test_lengths_are_checked(kernels):
    target, labels = np.zeros(3), np.zeros(2)
    with pytest.raises(ValueError, match="counts has length 3, expected 2"):
        kernels.count_labels(target, labels, np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="values has length 1, expected 2"):
        kernels.label_values(target, labels, np.zeros(1), np.empty(3))
    with pytest.raises(ValueError, match="found has length 2, expected 3"):
        kernels.label_values(target, labels, np.zeros(2), np.empty(2))
