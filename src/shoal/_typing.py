"""Names for the types that many modules share."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating[Any]]
Float64Array: TypeAlias = NDArray[np.float64]
Int32Array: TypeAlias = NDArray[np.int32]
Int64Array: TypeAlias = NDArray[np.int64]
AnyArray: TypeAlias = NDArray[Any]

#: Feature values of a block: a dense matrix of any strides, or a SciPy CSR array.
Matrix: TypeAlias = Any

#: What a source hands over for some consecutive rows: one matrix, or a list of one array a column.
Rows: TypeAlias = Any
