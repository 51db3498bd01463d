"""From what a user has to a dataset."""

import difflib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from scipy import sparse

from shoal._typing import AnyArray, Float64Array
from shoal.data.arrays import ArraySource
from shoal.data.csv import CSVSource
from shoal.data.dask_collections import DaskSource, is_dask_collection
from shoal.data.dataset import Dataset
from shoal.data.files import File, find_files
from shoal.data.frames import FrameSource, is_frame, missing_as_none
from shoal.data.ipc import IPCSource
from shoal.data.npy import NpySource
from shoal.data.parquet import ParquetSource
from shoal.data.source import Column, Source
from shoal.data.target_classes import without_objects
from shoal.exceptions import ColumnError, DataError, FileError, ParameterError, SchemaError

_FILE_SOURCES: dict[str, Callable[[Sequence[File]], Source]] = {
    ".parquet": ParquetSource,
    ".pq": ParquetSource,
    ".arrow": IPCSource,
    ".feather": IPCSource,
    ".ipc": IPCSource,
    ".csv": CSVSource,
    ".csv.gz": CSVSource,
    ".tsv": CSVSource,
    ".tsv.gz": CSVSource,
    ".npy": NpySource,
}

#: Types whose every value float32 represents exactly.
_EXACT_IN_FLOAT32 = frozenset(["b1", "i1", "i2", "u1", "u2", "f2", "f4"])


def open_dataset(
    source: Any,
    *,
    features: Sequence[str | int] | None = None,
    target: Any = None,
    sample_weight: Any = None,
    missing: Literal["error", "drop"] = "error",
    schema: dict[str, Any] | None = None,
    delimiter: str | None = None,
    has_header: bool = True,
) -> Dataset:
    """Open data as rows to learn from.

    Reads names and types, not rows (of CSV files, the first megabyte and the number of lines).

    Parameters
    ----------
    source : path, URL, glob, folder or list of these; array-like; data frame; Dask collection
        Files are told by their suffix: ``.parquet``, ``.pq``, ``.arrow``, ``.feather``,
        ``.ipc``, ``.csv``, ``.csv.gz``, ``.tsv``, ``.npy``. A `Dataset` is returned as it is,
        and a `Source` of your own is used.
    features : sequence of str or int, default=None
        Names or positions of the columns to learn from, in order. By default all but `target`
        and `sample_weight`.
    target : str, int or array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
        The column to predict, or its values.
    sample_weight : str, int or array-like of shape (n_rows,), default=None
        The column of the rows' weights, or their values.
    missing : {"error", "drop"}, default="error"
        Whether a row with a missing or NaN feature, target or weight is an error or left out.
    schema : dict of str to dtype, default=None
        Types of a CSV file's columns; those not named are inferred.
    delimiter : str, default=None
        What stands between the values of a line of a CSV file: by default a tab in ``.tsv``
        files, else a comma.
    has_header : bool, default=True
        Whether the first line of a CSV file names its columns; else they are ``f0``, ``f1``, ...

    Returns
    -------
    Dataset
        Features decode to float32 where that loses nothing (all of float32, float16 or a
        narrow integer or boolean type, and at least one floating), else to float64.

    Raises
    ------
    ColumnError
        A column is not there.
    SchemaError
        A feature is not a number, or two columns have the same name.
    ParameterError
        A feature is listed twice, or is neither a name nor a position; an option makes no sense.
    DataError
        No rows, no features, not 2-D, or a target or weights of another length.
    FileError, CorruptFileError
        A file is not there or cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from shoal import open_dataset
    >>> open_dataset(np.ones((5, 2), dtype=np.float32))
    <Dataset of 5 rows x 2 features, float32, from ArraySource>
    """
    if missing not in ("error", "drop"):
        raise ParameterError(f"missing={missing!r}: it is 'error' or 'drop'.")
    csv_options = _csv_options(schema, delimiter, has_header)
    if isinstance(source, Dataset):
        if any(role is not None for role in (features, target, sample_weight)) or csv_options:
            raise ParameterError("A Dataset has its roles already: give them when it is opened.")
        return source
    source = source_of(source, csv_options)
    columns = source.columns
    _check_unique(columns)
    target = _role(columns, target, "target")
    sample_weight = _role(columns, sample_weight, "sample_weight")
    positions = _features(columns, features, (target, sample_weight))
    dataset = Dataset(
        source,
        positions,
        target if isinstance(target, int) else given_target(target),
        sample_weight if isinstance(sample_weight, int) else _weights(sample_weight),
        _dtype([columns[position] for position in positions]),
        missing,
    )
    _check_shape(dataset)
    return dataset


def _csv_options(
    schema: dict[str, Any] | None, delimiter: str | None, has_header: bool
) -> dict[str, Any]:
    """How CSV files are to be read, as far as that was said."""
    said = {"schema": schema, "delimiter": delimiter, "has_header": None if has_header else False}
    return {name: value for name, value in said.items() if value is not None}


def source_of(data: Any, csv_options: Mapping[str, Any] = MappingProxyType({})) -> Source:
    """The source of what `open_dataset` takes; options are of CSV files."""
    if is_paths(data):
        return _file_source(data, csv_options)
    _refuse(csv_options)
    if isinstance(data, Source):
        return data
    if is_dask_collection(data):
        return DaskSource(data)
    return FrameSource(data) if is_frame(data) else ArraySource(data)


def _refuse(csv_options: Mapping[str, Any]) -> None:
    if csv_options:
        raise ParameterError(
            f"{', '.join(csv_options)} {'is' if len(csv_options) == 1 else 'are'} for CSV files: "
            "other data have types and names of their own."
        )


def is_paths(data: Any) -> bool:
    """Whether `data` names files."""
    if isinstance(data, list | tuple) and data:
        return all(isinstance(path, str | os.PathLike) for path in data)
    return isinstance(data, str | os.PathLike)


def _file_source(paths: Any, csv_options: Mapping[str, Any]) -> Source:
    """The source for the kind of file that all of `paths` have."""
    files = find_files(paths, tuple(_FILE_SOURCES))
    kinds = {_kind(file.name): file.name for file in files}
    if len(kinds) > 1:
        raise FileError(
            f"Files of one dataset are of one kind, but these differ: {', '.join(kinds.values())}."
        )
    (kind,) = kinds
    if kind is CSVSource:
        return CSVSource(files, **csv_options)
    _refuse(csv_options)
    return kind(files)


def _kind(name: str) -> Callable[[Sequence[File]], Source]:
    for suffix, kind in _FILE_SOURCES.items():
        if name.lower().endswith(suffix):
            return kind
    raise FileError(f"{name} has none of the known suffixes: {', '.join(_FILE_SOURCES)}.")


def _check_unique(columns: Iterable[Column]) -> None:
    counts = Counter(column.name for column in columns)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise SchemaError(f"Columns with the same name: {_listed(twice)}. Rename them.")


def _role(columns: Sequence[Column], role: Any, name: str) -> Any:
    """The position of a target or weight named by its column; else what was given."""
    if isinstance(role, bool):
        raise ParameterError(f"{name}={role}: give the name of a column, its position, or values.")
    return _position(columns, role, name) if _is_column(role) else role


def _is_column(column: Any) -> bool:
    """Whether `column` is a name or position: a boolean would count as 0 or 1."""
    return isinstance(column, str | int | np.integer) and not isinstance(column, bool)


def _position(columns: Sequence[Column], column: str | int | np.integer[Any], role: str) -> int:
    """The position of a column given by name or position."""
    if not _is_column(column):
        raise ParameterError(f"{role}: {column!r} is neither a column's name nor its position.")
    if not isinstance(column, str):
        if not -len(columns) <= column < len(columns):
            raise ColumnError(f"{role}: no column {column}, there are {len(columns)}.")
        return int(column) % len(columns)
    names = [candidate.name for candidate in columns]
    if column in names:
        return names.index(column)
    close = difflib.get_close_matches(column, names, n=3)
    hint = f"Did you mean {_listed(close)}?" if close else f"There are {_listed(names)}."
    raise ColumnError(f"{role}: no column {column!r}. {hint}")


def _features(
    columns: Sequence[Column], features: Sequence[str | int] | None, roles: Sequence[Any]
) -> tuple[int, ...]:
    """Positions of the features; all are numbers."""
    if features is None:
        taken = [role for role in roles if isinstance(role, int)]
        positions = tuple(p for p in range(len(columns)) if p not in taken)
    elif isinstance(features, str) or not isinstance(features, Iterable):
        raise ParameterError(
            f"features={features!r}: give a list of names, such as [{features!r}]."
        )
    else:
        positions = tuple(_position(columns, feature, "features") for feature in features)
        _check_once(columns[position].name for position in positions)
    text = [columns[p] for p in positions if not columns[p].is_numeric]
    if text:
        numeric = [columns[p].name for p in positions if columns[p].is_numeric]
        choice = f", or choose others: features=[{_listed(numeric)}]" if numeric else ""
        raise SchemaError(
            f"Features must be numbers, but could not convert string to float or the like: "
            f"{_listed([column.name for column in text])} {'is' if len(text) == 1 else 'are'} "
            f"not. Encode such columns{choice}."
        )
    return positions


def _check_once(features: Iterable[str]) -> None:
    twice = [name for name, count in Counter(features).items() if count > 1]
    if twice:
        raise ParameterError(f"features: {_listed(twice)} more than once.")


def _listed(names: Sequence[str]) -> str:
    """Up to five names."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(map(repr, names[:5])) + more


def _dtype(features: Iterable[Column]) -> np.dtype[Any]:
    """The narrowest type that holds every feature."""
    types = {dtype.str.lstrip("<>|=") for dtype in {column.dtype for column in features}}
    exact = types <= _EXACT_IN_FLOAT32 and types & {"f2", "f4"}
    return np.dtype(np.float32 if exact else np.float64)


def given_target(values: Any) -> AnyArray | None:
    """The values of a target given whole."""
    if values is None:
        return None
    if sparse.issparse(values):
        raise DataError("A sparse y was passed, but a dense array is needed: give y.toarray().")
    array = without_objects(missing_as_none(np.asarray(values)))
    if array.dtype.kind == "c":
        raise DataError("Complex data not supported: the target is complex.")
    if array.ndim not in (1, 2):
        raise DataError(f"y should be a 1d array, got an array of shape {array.shape} instead.")
    return array


def _weights(values: Any) -> Float64Array | None:
    """Weights given whole."""
    if values is None:
        return None
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataError(
            f"Sample weights must be a 1D array or the name of a column, got {array.ndim}D array: "
            "give one weight a row."
        )
    try:
        if array.dtype.kind == "c":
            raise TypeError
        return array.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"sample_weight must be numbers, not {array.dtype}.") from error


def _check_shape(dataset: Dataset) -> None:
    n_rows, n_features = dataset.n_rows, dataset.n_features
    for count, what in ((n_rows, "sample"), (n_features, "feature")):
        if not count:
            raise DataError(
                f"Found array with 0 {what}(s) (shape=({n_rows}, {n_features})) while a minimum "
                "of 1 is required."
            )
    for role in (dataset.target, dataset.sample_weight):
        if isinstance(role, np.ndarray) and len(role) != n_rows:
            raise DataError(
                "Found input variables with inconsistent numbers of samples: "
                f"[{n_rows}, {len(role)}]."
            )
