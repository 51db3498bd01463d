"""Ranges of columns."""

import numpy as np
import pytest
from tests.statistics.rows import FORMS, blobs, fold, forms, weights

from shoal import open_dataset
from shoal.exceptions import DataError
from shoal.statistics.range import ColumnRange, Range, look_at_all_rows
from shoal.testing import check_statistic


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
def test_is_numpys_in_any_split(form, dtype):
    X, weight = blobs(dtype=dtype, offset=5), weights()
    dataset = forms(X, weight)[form]
    check_statistic(Range(3), dataset)
    found = fold(Range(3), dataset)
    np.testing.assert_array_equal(found.minimum, X.min(axis=0))
    np.testing.assert_array_equal(found.maximum, X.max(axis=0))
    assert found.n_rows == len(X)
    assert found.largest_weight == weight.max()
    assert found.n_weighted_rows == np.count_nonzero(weight)


def test_all_rows_are_looked_at():
    X = np.insert(blobs(), [0, 5], np.nan, axis=0)
    assert look_at_all_rows(open_dataset(X, missing="drop")) == 150
    with pytest.raises(DataError, match="row 0"):
        look_at_all_rows(open_dataset(X))


def test_rows_without_weights_weigh_one():
    found = fold(Range(3), open_dataset(blobs()))
    assert (found.largest_weight, found.n_weighted_rows) == (1.0, 150)


def test_no_rows_have_an_empty_range():
    found = fold(Range(2), open_dataset(np.full((3, 2), np.nan), missing="drop"))
    assert (found.n_rows, found.largest_weight, found.n_weighted_rows) == (0, 0.0, 0)
    np.testing.assert_array_equal(found.minimum, [np.inf, np.inf])
    np.testing.assert_array_equal(found.maximum, [-np.inf, -np.inf])


def test_largest_distance_is_to_the_farther_end():
    found = ColumnRange(2, np.array([-1.0, 5.0]), np.array([3.0, 6.0]), 1.0, 2)
    np.testing.assert_array_equal(found.largest_distance(np.array([0.0, 10.0])), [3.0, 5.0])
