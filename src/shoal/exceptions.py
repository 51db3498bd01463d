"""Everything Shoal raises on purpose.

Each class also derives from the built-in exception that scikit-learn users already catch, and
each message says what is wrong, where (file, column, row) and what to do about it.

- ShoalError
    - DataError (ValueError)
        - NonFiniteError: NaN, infinity or a missing value where a number must be
        - SchemaError (TypeError): a column of an unusable type
        - ColumnError (KeyError): a column that is not there
    - FileError (OSError)
        - CorruptFileError: truncated or damaged
        - FileChangedError: not the file that was opened
        - DiskFullError
    - MemoryBudgetError (MemoryError)
    - ParameterError (ValueError, TypeError): an argument that makes no sense
    - EngineError (RuntimeError)
        - ClusterUnreachableError (ConnectionError)
        - WorkersLostError
    - DivergenceError (ValueError): a fit whose loss rises without bound
    - CheckpointError (ValueError)
    - ModelFileError (ValueError)
"""

from errno import EDQUOT, EFBIG, ENOSPC
from typing import Self

__all__ = [
    "CheckpointError",
    "ClusterUnreachableError",
    "ColumnError",
    "CorruptFileError",
    "DataError",
    "DiskFullError",
    "DivergenceError",
    "EngineError",
    "FileChangedError",
    "FileError",
    "MemoryBudgetError",
    "ModelFileError",
    "NonFiniteError",
    "ParameterError",
    "SchemaError",
    "ShoalError",
    "WorkersLostError",
]


class ShoalError(Exception):
    """Base of every error that Shoal raises on purpose."""


class DataError(ShoalError, ValueError):
    """The data cannot be used as they are."""


class NonFiniteError(DataError):
    """A feature, target or weight is NaN, infinite or missing."""


class SchemaError(DataError, TypeError):
    """A column has a type that the requested role cannot use."""


class ColumnError(DataError, KeyError):
    """A named column is not in the data."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument, which would quote the whole sentence.
        return ValueError.__str__(self)


class FileError(ShoalError, OSError):
    """A file cannot be read or written."""


class CorruptFileError(FileError):
    """A file is truncated or damaged."""


class FileChangedError(FileError):
    """A file is gone, or is not the one that was opened."""


class DiskFullError(FileError):
    """There is no room left for the block cache or an output file."""

    @staticmethod
    def is_why(error: OSError) -> bool:
        """Whether a disk, quota or limit on files was full where the system raised `error`."""
        return error.errno in {ENOSPC, EDQUOT, EFBIG}


class MemoryBudgetError(ShoalError, MemoryError):
    """The work cannot be done within the memory budget."""

    # Of several built-in bases, only the one whose layout instances have may make them. Found by
    # name it would be another here, and Dask's way of unpickling errors looks it up by name.
    def __new__(cls, *arguments: object) -> Self:
        return Exception.__new__(cls, *arguments)


class ParameterError(ShoalError, ValueError, TypeError):
    """An argument is of the wrong type or out of range: both, as scikit-learn's error is."""


class EngineError(ShoalError, RuntimeError):
    """An engine cannot do its work."""


class ClusterUnreachableError(EngineError, ConnectionError):
    """No scheduler answers at the given address."""

    # As of MemoryBudgetError.
    def __new__(cls, *arguments: object) -> Self:
        return OSError.__new__(cls, *arguments)


class WorkersLostError(EngineError):
    """Workers keep dying on the same work, or none is left."""


class DivergenceError(ShoalError, ValueError):
    """The loss of a fit rises without bound: its learning rate is too large."""


class CheckpointError(ShoalError, ValueError):
    """A checkpoint is damaged, or belongs to other data or parameters."""


class ModelFileError(ShoalError, ValueError):
    """A model file is damaged, of an unknown version, or not a model file."""
