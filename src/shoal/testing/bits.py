"""Equality to the last bit."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from scipy import sparse


def bits(value: Any) -> Any:
    """What two values share exactly if they are the same to the last bit.

    Arrays, sparse matrices, numbers, text and None; also dataclasses, mappings and sequences of
    these. Unlike ``==`` it tells 0.0 from -0.0 and float32 from float64, and NaN is NaN.

    Examples
    --------
    >>> bits([0.0, 1.0]) == bits([-0.0, 1.0])
    False
    """
    if is_dataclass(value) and not isinstance(value, type):
        return type(value), tuple(bits(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return {key: bits(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(bits, value))
    if sparse.issparse(value):
        rows = value.tocsr()
        return value.shape, bits([rows.data, rows.indices, rows.indptr])
    return _bits_of_array(value) if isinstance(value, np.ndarray | np.generic | float) else value


def _bits_of_array(value: Any) -> Any:
    array = np.asarray(value)
    content = bits(array.ravel().tolist()) if array.dtype == object else array.tobytes()
    return array.dtype.str, array.shape, content
