"""From what a source hands over to blocks: roles, types, missing values, checks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int64Array, Matrix, Rows
from shoal.data.arrays import matrix_of
from shoal.data.block import Block
from shoal.data.plan import row_bytes
from shoal.data.row_major import matrix_from
from shoal.data.source import Cell
from shoal.data.target_classes import TargetClasses, label_values
from shoal.data.windows import cut_at_windows, length, whole_windows
from shoal.exceptions import DataError, NonFiniteError, SchemaError

if TYPE_CHECKING:
    from shoal.data.dataset import Dataset

#: Blocks of decoded rows are no larger: each step of a pass, from their first copy to the
#: statistic, finds them in the processor's cache. Sources decode more rows at a time, which costs
#: less a row.
_CACHED_BYTES = 2 * 2**20


class BlockReader:
    """Reads cells of a dataset as blocks.

    Every value is looked at once here, so that no statistic has to: what leaves is finite (features
    of a dataset that is not measured aside), of its type, with weights that are not negative.
    """

    def __init__(self, dataset: "Dataset") -> None:
        self._dataset = dataset
        self._columns = dataset.columns_read

    def read(self, cell: Cell, max_rows: int) -> Iterator[Block]:
        """The blocks of one cell, in row order, as of `Dataset.read`."""
        window_rows = self._dataset.window_rows
        if max_rows < cell.n_rows:
            max_rows = whole_windows(max_rows, window_rows)
        pieces = self._dataset.source.read(cell, self._columns, max_rows)
        block_rows = min(max_rows, self._most_rows)
        start = 0
        for rows in cut_at_windows(pieces, cell.n_rows, window_rows, block_rows):
            n_rows = length(rows)
            block = self._block(rows, cell, start, n_rows)
            # Nothing of this block may be held here while the source decodes the next one.
            del rows
            if block.n_rows:
                yield block
            del block
            start += n_rows

    @property
    def _most_rows(self) -> int:
        """Rows of a block at most, whatever the budget."""
        dataset = self._dataset
        if dataset.source.in_memory:
            return dataset.n_rows
        return whole_windows(_CACHED_BYTES // row_bytes(dataset), dataset.window_rows)

    def _block(self, rows: Rows, cell: Cell, start: int, n_rows: int) -> Block:
        """The block of `n_rows` rows that begin `start` rows into `cell`."""
        dataset = self._dataset
        first_row = cell.first_row + start
        X = self._features(rows)
        here = slice(first_row, first_row + n_rows)
        weight = self._role(dataset.sample_weight, rows, -1, here)
        target = self._role(
            dataset.target, rows, -2 if isinstance(dataset.sample_weight, int) else -1, here
        )
        kept: Int64Array | None = None
        if dataset.missing == "drop":
            keep = ~_missing_rows(X, target, weight)
            if not keep.all():
                X, target, weight = (
                    part if part is None else part[keep] for part in (X, target, weight)
                )
                kept = first_row + np.flatnonzero(keep)
        where = _Where(dataset, cell, start, kept)
        _check_target(target, where)
        if weight is not None:
            weight = _checked_weight(weight, where)
        if dataset.classes is not None:
            target, weight = _coded(dataset.classes, target, weight, where)
        minimum, maximum = _range(X, where) if dataset.measured else _no_range(X)
        if dataset.unit_rows:
            X = _unit_rows(X, where)
            minimum, maximum = _range(X, where)
        return Block(X, first_row, minimum, maximum, target, weight, kept)

    def _features(self, rows: Rows) -> Matrix:
        """The feature columns of `rows` in the dataset's type, without a copy where possible."""
        n_features = self._dataset.n_features
        dtype = self._dataset.dtype
        if isinstance(rows, list):
            matrix = matrix_of(rows[:n_features])
            if matrix is not None:
                return np.asarray(matrix, dtype=dtype)
            return matrix_from(rows[:n_features], dtype)
        if rows.shape[1] != n_features:
            rows = rows[:, :n_features]
        if sparse.issparse(rows):
            return rows.astype(dtype, copy=False)
        return np.asarray(rows, dtype=dtype)

    def _role(self, role: Any, rows: Rows, position: int, here: slice) -> AnyArray | None:
        """Values of a target or weight: of those given whole, or the column at `position`."""
        if role is None:
            return None
        if isinstance(role, np.ndarray):
            return role[here]
        column = rows[position] if isinstance(rows, list) else rows[:, [position]]
        return np.asarray(column.todense() if sparse.issparse(column) else column).reshape(-1)


class _Where:
    """Turns the place of a bad value within a block into words."""

    def __init__(self, dataset: "Dataset", cell: Cell, start: int, kept: Int64Array | None) -> None:
        self._dataset, self._cell, self._start, self._kept = dataset, cell, start, kept

    def __call__(self, row: int, column: str) -> str:
        if self._kept is not None:
            row = int(self._kept[row]) - self._cell.first_row - self._start
        row += self._cell.first_row_in_file + self._start
        return f"in {self._cell.file}, column {column!r}, row {row} (counted from 0)"

    def feature(self, row: int, position: int) -> str:
        return self(row, self._dataset.feature_names[position])

    def role(self, row: int, role: str) -> str:
        value = getattr(self._dataset, role)
        name = self._dataset.source.columns[value].name if isinstance(value, int) else role
        return self(row, name)


def _missing_rows(X: Matrix, *roles: AnyArray | None) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows have a NaN feature or a missing target or weight, shape (n_rows,)."""
    if sparse.issparse(X):
        missing = np.zeros(X.shape[0], dtype=bool)
        missing[np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[np.isnan(X.data)]] = True
    else:
        missing = np.isnan(X).any(axis=1)
    for role in roles:
        if role is not None:
            missing |= is_missing(role)
    return missing


def is_missing(values: AnyArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which values of a target or weight are missing, shape (n_rows,)."""
    missing: Any = np.zeros(values.shape, dtype=bool)
    if values.dtype.kind in "fMm":
        missing = np.isnan(values)
    elif values.dtype == object:
        none: Any = None
        # NaN alone differs from itself.
        missing = np.equal(values, none).astype(bool) | (values != values)  # noqa: PLR0124
    # Not a reshape to (n_rows, -1), which has no answer where every row was dropped.
    outputs = tuple(range(1, values.ndim))
    found: np.ndarray[Any, np.dtype[np.bool_]] = missing.any(axis=outputs)
    return found


def _no_range(X: Matrix) -> tuple[Float64Array, Float64Array]:
    unknown = np.full(X.shape[1], np.nan)
    return unknown, unknown


def _range(X: Matrix, where: _Where) -> tuple[Float64Array, Float64Array]:
    """Smallest and largest value of each column, each (n_features,); checks all are finite."""
    minimum = np.full(X.shape[1], np.inf)
    maximum = np.full(X.shape[1], -np.inf)
    if sparse.issparse(X):
        stored = np.zeros(X.shape[1], dtype=np.int64)
        bad = _kernels.column_range_csr(X.data, X.indices, minimum, maximum, stored)
        if bad >= 0:
            row = int(np.searchsorted(X.indptr, bad, side="right")) - 1
            raise _non_finite(X.data[bad], where.feature(row, int(X.indices[bad])))
        implicit = stored < X.shape[0]
        np.minimum(minimum, 0.0, out=minimum, where=implicit)
        np.maximum(maximum, 0.0, out=maximum, where=implicit)
    else:
        bad = _kernels.column_range(X, minimum, maximum)
        if bad >= 0:
            row, column = divmod(bad, X.shape[1])
            raise _non_finite(X[row, column], where.feature(row, column))
    return minimum, maximum


def _non_finite(value: Any, where: str) -> NonFiniteError:
    if np.isnan(value):
        return NonFiniteError(
            f"Input X contains NaN: a missing or NaN value {where}. Drop such rows with "
            "open_dataset(..., missing='drop'), or fill them in."
        )
    return NonFiniteError(f"Input X contains infinity {where}. Remove or clip such values.")


def _check_target(target: AnyArray | None, where: _Where) -> None:
    if target is None or target.dtype.kind in "iub":
        return
    if target.dtype.kind == "f" and np.isfinite(target).all():
        return
    missing = is_missing(target)
    if missing.any():
        raise NonFiniteError(
            f"Input y contains NaN: a missing value {where.role(int(missing.argmax()), 'target')}."
            " Drop such rows with open_dataset(..., missing='drop'), or fill them in."
        )
    if target.dtype.kind == "f":
        row = int(np.argmin(np.isfinite(target).reshape(len(target), -1).all(axis=1)))
        raise NonFiniteError(f"Input y contains infinity {where.role(row, 'target')}.")


def _checked_weight(weight: AnyArray, where: _Where) -> Float64Array:
    """The weights as float64, finite and not negative."""
    if weight.dtype.kind not in "fiub":
        raise SchemaError(
            f"sample_weight must be numbers, not {weight.dtype}: {where.role(0, 'sample_weight')}."
        )
    weight = np.ascontiguousarray(weight, dtype=np.float64)
    finite = np.isfinite(weight)
    if not finite.all():
        row = int(finite.argmin())
        raise NonFiniteError(
            f"Input sample_weight contains NaN or infinity: {weight[row]} "
            f"{where.role(row, 'sample_weight')}. Remove or mend such weights."
        )
    if (weight < 0).any():
        row = int((weight < 0).argmax())
        raise DataError(
            f"Input sample_weight has negative values: {weight[row]} "
            f"{where.role(row, 'sample_weight')}. Weights are counts or importances: use 0 to "
            "leave a row out."
        )
    return weight


def _coded(
    classes: TargetClasses, target: AnyArray | None, weight: Float64Array | None, where: _Where
) -> tuple[Float64Array, Float64Array | None]:
    """Codes of labels, and weights times those of their classes."""
    assert target is not None
    codes = label_values(classes.labels, classes.codes, target)
    if codes is None:
        row = int((classes.positions(target) < 0).argmax())
        label = target.tolist()[row]
        raise DataError(
            f"The label {label!r} is none of the {len(classes.labels)} known classes: "
            f"{where.role(row, 'target')}."
        )
    if classes.weights is not None:
        of_class = label_values(classes.labels, classes.weights, target)
        assert of_class is not None
        weight = of_class if weight is None else weight * of_class
    return codes, weight


def _unit_rows(X: Matrix, where: _Where) -> Matrix:
    """Each row divided by its euclidean norm.

    Squares are added column by column: the same order, and so the same bits, for every layout.
    """
    norms = np.zeros(X.shape[0])
    if sparse.issparse(X):
        entry_rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        np.add.at(norms, entry_rows, X.data.astype(np.float64) ** 2)
    else:
        for column in X.T:
            norms += column.astype(np.float64) ** 2
    np.sqrt(norms, out=norms)
    if not norms.all():
        row = int(norms.argmin())
        raise DataError(
            f"A row of zeros has no direction, so metric='cosine' cannot place it: "
            f"{where.feature(row, 0)} and on. Remove such rows."
        )
    if sparse.issparse(X):
        data = (X.data / norms[entry_rows]).astype(X.dtype)
        return sparse.csr_array((data, X.indices, X.indptr), shape=X.shape)
    unit = np.empty_like(X)
    np.divide(X, norms[:, None], out=unit, casting="same_kind")
    return unit
