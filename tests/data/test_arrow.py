from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from shoal.data import arrow

CASES = [
    (pa.array([1.5, 2.5], pa.float32()), np.float32, [1.5, 2.5]),
    (pa.array([1.5, None]), np.float64, [1.5, np.nan]),
    (pa.array([1, 2], pa.int16()), np.int16, [1, 2]),
    (pa.array([1, None], pa.int16()), np.float64, [1, np.nan]),
    (pa.array([True, False]), np.bool_, [True, False]),
    (pa.array([True, None]), np.float64, [1, np.nan]),
    (pa.array([np.float16(0.5)], pa.float16()), np.float16, [0.5]),
    (pa.array([Decimal("1.25"), None]), np.float64, [1.25, np.nan]),
    (pa.array([None, None]), np.float64, [np.nan, np.nan]),
    (pa.array([3, 4, 3]).dictionary_encode(), np.int64, [3, 4, 3]),
]


@pytest.mark.parametrize(("values", "dtype", "expected"), CASES, ids=lambda case: str(case)[:20])
@pytest.mark.parametrize("pieces", [1, 2])
def test_numbers(values, dtype, expected, pieces):
    if pieces == 2:
        values = pa.chunked_array([values[:1], values[1:]])
    found = arrow.to_numpy(values)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.array(expected, dtype=dtype))


@pytest.mark.parametrize(
    "values",
    [pa.array(["a", None]), pa.array(["a", None]).dictionary_encode()],
    ids=["plain", "categories"],
)
def test_text(values):
    found = arrow.to_numpy(values)
    assert found.dtype == object
    assert found.tolist() == ["a", None]


def test_whole_numbers_are_not_copied():
    values = pa.array(np.arange(5.0))
    assert arrow.to_numpy(values).__array_interface__["data"][0] == values.buffers()[1].address


def test_columns():
    column = arrow.column(pa.field("day", pa.date32()))
    assert (column.name, column.dtype, column.is_numeric) == ("day", object, False)
    assert arrow.column(pa.field("x", pa.float32())).is_numeric
