"""Arrow columns as NumPy arrays."""

from typing import Any

import numpy as np
import pyarrow as pa

from shoal._typing import AnyArray
from shoal.data.source import Column


def column(field: pa.Field) -> Column:
    """The column that an Arrow field decodes to."""
    return Column(field.name, dtype(field.type))


def dtype(arrow_type: pa.DataType) -> np.dtype[Any]:
    """What values of an Arrow type decode to: a number's own type, float64 for decimals."""
    if pa.types.is_dictionary(arrow_type):
        return dtype(arrow_type.value_type)
    if pa.types.is_decimal(arrow_type) or pa.types.is_null(arrow_type):
        return np.dtype(np.float64)
    if (
        pa.types.is_floating(arrow_type)
        or pa.types.is_integer(arrow_type)
        or pa.types.is_boolean(arrow_type)
    ):
        number: np.dtype[Any] = np.dtype(arrow_type.to_pandas_dtype())
        return number
    return np.dtype(object)


def to_numpy(values: pa.Array | pa.ChunkedArray) -> AnyArray:
    """The values, shape (n_rows,), without a copy where nothing is missing.

    Missing numbers are NaN, and turn integers and booleans into float64; other missing values
    are None.
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    target = dtype(values.type)
    if target.kind == "O":
        return np.fromiter(values.to_pylist(), dtype=object, count=len(values))
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if values.null_count and target.kind != "f":
        target = np.dtype(np.float64)
    if values.type != pa.from_numpy_dtype(target):
        values = values.cast(pa.from_numpy_dtype(target), safe=False)
    numbers: AnyArray = values.to_numpy(zero_copy_only=False)
    return numbers


def type_of(dtype: Any) -> pa.DataType:
    """The Arrow type of a NumPy or Arrow type; text where NumPy has text or objects."""
    if isinstance(dtype, pa.DataType):
        return dtype
    dtype = np.dtype("object" if dtype == "string" else dtype)
    return pa.string() if dtype.kind in "OUT" else pa.from_numpy_dtype(dtype)
