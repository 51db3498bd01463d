"""Rows of data frames: pandas, polars, PyArrow and whatever else narwhals understands."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import pyarrow as pa
import xxhash

from shoal._typing import AnyArray, Rows
from shoal.data import arrow
from shoal.data.arrays import grid, matrix_of, pieces
from shoal.data.source import Cell, Column, Source
from shoal.exceptions import SchemaError

_Values: TypeAlias = AnyArray | pa.ChunkedArray

_HASHED_ROWS = 65_536


class FrameSource(Source):
    """Rows of a data frame in memory.

    Columns are used where they lie: NumPy columns as they are, others through Arrow. Lazy frames
    are collected. Nullable, categorical and decimal columns decode as their values would.

    Parameters
    ----------
    frame : data frame
        Of pandas, polars, PyArrow (Table or RecordBatch) or another library that narwhals
        understands.

    Raises
    ------
    SchemaError
        Two columns have the same name.
    """

    in_process = True

    def __init__(self, frame: Any) -> None:
        series = _series(frame)
        self._values = tuple(_values(column) for column in series)
        self._columns = tuple(
            Column(str(column.name), _dtype(values))
            for column, values in zip(series, self._values, strict=True)
        )
        self._n_rows = len(self._values[0]) if self._values else 0
        numbers = [
            values
            for column, values in zip(self._columns, self._values, strict=True)
            if column.is_numeric
        ]
        # Columns that lie side by side are viewed as a matrix; others are copied into blocks,
        # which are worth keeping for the next pass.
        self.in_memory = matrix_of(numbers) is not None

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._columns

    def cells(self) -> Sequence[Cell]:
        return grid(self._n_rows, "data frame")

    def read(self, cell: Cell, columns: Sequence[int], max_rows: int) -> Iterator[Rows]:
        for start, stop in pieces(cell, max_rows):
            yield [_decoded(self._values[position][start:stop]) for position in columns]

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        """A hash of names, types and values."""
        digest = xxhash.xxh3_128(repr(self._columns).encode())
        for values in self._values:
            for start in range(0, self._n_rows, _HASHED_ROWS):
                decoded = _decoded(values[start : start + _HASHED_ROWS])
                if decoded.dtype.kind == "O":
                    digest.update(repr(decoded.tolist()).encode())
                else:
                    digest.update(np.ascontiguousarray(decoded).data)
        return digest.hexdigest()


def is_frame(data: Any) -> bool:
    """Whether `data` is a frame that narwhals, or `FrameSource` itself, understands."""
    if isinstance(data, pa.RecordBatch) or nw.dependencies.is_into_dataframe(data):
        return True
    return nw.dependencies.is_polars_lazyframe(data) or isinstance(data, nw.LazyFrame)


def _series(frame: Any) -> list[nw.Series[Any]]:
    """The columns of a frame."""
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    try:
        known: Any = nw.from_native(frame)
        if isinstance(known, nw.LazyFrame):
            known = known.collect()
        return list(known.iter_columns())
    except nw.exceptions.DuplicateError as error:
        raise SchemaError(f"Columns with the same name: {error}. Rename them.") from error


def _values(series: nw.Series[Any]) -> _Values:
    """The values of a column, as NumPy or Arrow holds them, without a copy."""
    native = series.to_native()
    if isinstance(native, pa.ChunkedArray):
        return native
    own_dtype = getattr(native, "dtype", None)
    if isinstance(own_dtype, np.dtype) and own_dtype.kind in "fiub":
        return series.to_numpy()
    if hasattr(native, "sparse"):
        dense: AnyArray = native.sparse.to_dense().to_numpy()
        return dense
    try:
        values = series.to_arrow()
    except (pa.ArrowException, TypeError):  # Objects of several types.
        return np.fromiter(series.to_list(), dtype=object, count=len(series))
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _dtype(values: _Values) -> np.dtype[Any]:
    return values.dtype if isinstance(values, np.ndarray) else arrow.dtype(values.type)


def _decoded(values: _Values) -> AnyArray:
    """Values in NumPy, with NaN or None where they are missing."""
    if not isinstance(values, np.ndarray):
        return arrow.to_numpy(values)
    return missing_as_none(values)


def missing_as_none(values: AnyArray) -> AnyArray:
    """The same values, but None in the place of missing objects: NaN, NaT and pandas' NA."""
    if values.dtype.kind != "O":
        return values
    objects = (None if _is_missing(value) else value for value in values.flat)
    return np.fromiter(objects, dtype=object, count=values.size).reshape(values.shape)


def _is_missing(value: Any) -> bool:
    try:
        return bool(value != value)  # noqa: PLR0124 - NaN and NaT alone
    except TypeError:
        return True  # NA says neither that it equals itself nor that it does not.
