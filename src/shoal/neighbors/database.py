"""The rows that neighbours are looked for among."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np

from shoal._typing import AnyArray, Int64Array, Matrix
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.open import open_dataset
from shoal.data.plan import format_bytes
from shoal.engines.current import current_engine
from shoal.engines.local import LocalEngine
from shoal.engines.statistic import Statistic
from shoal.exceptions import MemoryBudgetError, ParameterError
from shoal.statistics.metric import Metric, is_among
from shoal.statistics.nearest_rows import NO_ROW, NearestRows, Neighbors
from shoal.statistics.rows_within import Pairs, RowsWithin

Result = TypeVar("Result")

#: Queries are taken so many bytes at a time, with what a thread finds for them: no more than
#: keeps a pass over the rows busy with arithmetic, and a small share of the engine's memory.
_BATCH_BYTES = 32 * 2**20
_BATCH_SHARE = 1 / 16


@dataclass(frozen=True, eq=False)
class Database:
    """Rows of datasets, one after the other, without those that were removed.

    Rows are numbered from 0 as if the removed ones had never been there.

    Parameters
    ----------
    parts : tuple of Dataset
        All of the same features.
    removed : ndarray of shape (n_removed,), int64
        Places of removed rows in all rows of the parts, ascending.
    """

    parts: tuple[Dataset, ...]
    removed: Int64Array

    @classmethod
    def of(cls, *parts: Dataset) -> "Database":
        return cls(parts, np.empty(0, dtype=np.int64))

    @classmethod
    def of_array(cls, X: AnyArray) -> "Database":
        """The rows of an array."""
        return cls.of(open_dataset(X))

    @property
    def n_features(self) -> int:
        return self.parts[0].n_features

    @property
    def n_rows(self) -> int:
        return self._starts[-1] - len(self.removed)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(*(part.dtype for part in self.parts))

    @property
    def in_process(self) -> bool:
        """Whether all rows are in this process."""
        return all(part.source.in_process for part in self.parts)

    @property
    def is_dense(self) -> bool:
        return not any(part.source.is_sparse for part in self.parts)

    @property
    def files(self) -> frozenset[str]:
        """The local files that rows are read from, absolute paths."""
        return frozenset().union(*(part.files for part in self.parts))

    def with_rows(self, dataset: Dataset) -> "Database":
        """These rows, followed by those of `dataset`."""
        return Database((*self.parts, dataset), self.removed)

    def without_rows(self, rows: Int64Array) -> "Database":
        """These rows but for those numbered `rows`."""
        removed = places_without(self.removed, rows)
        bounds = zip(self.parts, self._starts, self._starts[1:], strict=False)
        parts, starts = [], []
        for part, start, stop in bounds:
            low, high = np.searchsorted(removed, [start, stop])
            if high - low < stop - start:
                parts.append(part)
                starts.append(removed[low:high] - start)
        offsets = accumulate((part.n_rows for part in parts), initial=0)
        shifted = [one + offset for one, offset in zip(starts, offsets, strict=False)]
        return Database(tuple(parts), np.concatenate(shifted))

    def nearest(self, queries: AnyArray, n_neighbors: int, metric: Metric) -> Neighbors:
        """The nearest rows of each query; a pass over all rows.

        Parameters
        ----------
        queries : ndarray of shape (n_queries, n_features), C-contiguous
        n_neighbors : int
        metric : Metric
        """
        best = self.reduced_nearest(queries, n_neighbors, metric)
        return Neighbors(metric.distances(best.distances), best.rows)

    def reduced_nearest(
        self,
        queries: AnyArray,
        n_neighbors: int,
        metric: Metric,
        found_by: Callable[[NearestRows], Statistic[Any, Neighbors]] = lambda nearest: nearest,
    ) -> Neighbors:
        """The nearest rows that a statistic finds, with distances before ``metric.distances``.

        `found_by` makes it of the one that looks at all rows.
        """
        best = Neighbors.none(len(queries), n_neighbors)
        for found in self._folds(
            queries,
            metric,
            lambda queries, *where: found_by(NearestRows(queries, n_neighbors, metric, *where)),
        ):
            best = best.merge(found)
        numbered = np.where(best.rows == NO_ROW, NO_ROW, self._numbers(best.rows))
        return Neighbors(best.distances, numbered)

    def within(
        self,
        queries: AnyArray,
        radius: float,
        metric: Metric,
        found_by: Callable[[RowsWithin], Statistic[Any, Pairs]] = lambda within: within,
    ) -> Pairs:
        """The rows at a distance of at most `radius`; a pass over all rows.

        `found_by` makes the statistic that finds them of the one that looks at all rows.
        """
        found = self._folds(
            queries,
            metric,
            lambda queries, *where: found_by(RowsWithin(queries, radius, metric, *where)),
        )
        pairs = Pairs.joined(list(found))
        return Pairs(pairs.queries, self._numbers(pairs.rows), pairs.distances)

    def blocks(self) -> Iterator[Block]:
        """All rows as they are, in order; row numbers are those of this database."""
        for part, start in zip(self.parts, self._starts, strict=False):
            for cell in part.cells:
                for block in part.read(cell, cell.n_rows):
                    yield from self._numbered(block, start)

    def batches(self, metric: Metric, row_bytes: int) -> Iterator[Block]:
        """All rows as queries, so many at a time; row numbers are those of this database."""
        typed = self.typed(metric.dtype(self.dtype), metric)
        for part, start in zip(typed, self._starts, strict=False):
            for block in query_batches(part, row_bytes, metric.absent):
                yield from self._numbered(block, start)

    def dense(self, metric: Metric) -> tuple[AnyArray, Int64Array]:
        """All rows in memory, C-contiguous, and their numbers.

        Raises
        ------
        ParameterError
            They are not in this process, but read by the workers of a cluster.
        MemoryBudgetError
            They are not in this process, and take more than half of the engine's memory.
        """
        self._check_room(metric)
        blocks = list(self.batches(metric, 0))
        return (
            np.concatenate([block.X for block in blocks]),
            np.concatenate([block.row_numbers for block in blocks]),
        )

    def _check_room(self, metric: Metric) -> None:
        """Refuse a copy of rows that the engine's memory has no room for, or does not read here."""
        engine = current_engine()
        if self.in_process:
            return
        if not isinstance(engine, LocalEngine):
            raise ParameterError(
                "This index holds all rows in the memory of this process, but the workers of "
                f"{engine!r} read them. Use algorithm='partition', 'brute' or 'auto', which leave "
                "rows with the workers, or fit outside of this engine."
            )
        n_bytes = self.n_rows * self.n_features * metric.dtype(self.dtype).itemsize
        if 2 * n_bytes > engine.memory_bytes:
            raise MemoryBudgetError(
                f"This index holds all rows in memory, {format_bytes(n_bytes)}: more than half of "
                f"the engine's {format_bytes(engine.memory_bytes)}. Use algorithm='partition' or "
                "'brute', which read them from files, or give the engine more memory."
            )

    def _numbered(self, block: Block, start: int) -> Iterator[Block]:
        """A block of a part without rows that were removed, unless none is left."""
        places = block.row_numbers + start
        here = np.ones(len(places), dtype=bool)
        if len(self.removed):
            here = ~is_among(places, self.removed)
        if here.any():
            numbers = self._numbers(places[here])
            yield replace(block, X=block.X[here], rows=numbers, target=None)

    def _folds(
        self,
        queries: AnyArray,
        metric: Metric,
        statistic: Callable[..., Statistic[Any, Result]],
    ) -> Iterable[Result]:
        """What `statistic` finds in each part."""
        dtype = metric.dtype(queries.dtype, self.dtype)
        queries = np.ascontiguousarray(queries, dtype=dtype)
        engine = current_engine()
        bounds = zip(self.typed(dtype, metric), self._starts, self._starts[1:], strict=False)
        for part, start, stop in bounds:
            low, high = np.searchsorted(self.removed, [start, stop])
            yield engine.fold(part, statistic(queries, start, self.removed[low:high] - start))

    def typed(self, dtype: np.dtype[Any], metric: Metric) -> tuple[Dataset, ...]:
        """The parts as `dtype`; the same objects each time, as engines keep blocks by dataset."""
        key = dtype, metric.name == "cosine"
        if key not in self._versions:
            self._versions[key] = tuple(
                part
                if (part.dtype, part.unit_rows) == key
                else replace(part, dtype=dtype, unit_rows=key[1])
                for part in self.parts
            )
        return self._versions[key]

    @cached_property
    def _versions(self) -> dict[tuple[np.dtype[Any], bool], tuple[Dataset, ...]]:
        return {}

    @cached_property
    def _starts(self) -> list[int]:
        """Place of the first row of each part, and the number of all rows."""
        return list(accumulate((part.n_rows for part in self.parts), initial=0))

    def _numbers(self, places: Int64Array) -> Int64Array:
        """Numbers of the rows at these places."""
        return places - np.searchsorted(self.removed, places)


def places_without(removed: Int64Array, rows: Int64Array) -> Int64Array:
    """Places of removed rows, ascending, once those numbered `rows` are removed too."""
    # The number of the row that follows each removed one.
    numbers = removed - np.arange(len(removed))
    return np.union1d(removed, rows + np.searchsorted(numbers, rows, side="right"))


def query_batches(dataset: Dataset, row_bytes: int, absent: float = 0.0) -> Iterator[Block]:
    """The rows of `dataset` in order, dense and C-contiguous, so many at a time.

    `row_bytes` is what will be found for each by a thread, `absent` what sparse rows do not store.
    """
    width = 2 * dataset.dtype.itemsize * dataset.n_features
    max_rows = max(64, _batch_bytes() // (width + row_bytes))
    for cell in dataset.cells:
        for block in dataset.read(cell, min(max_rows, cell.n_rows)):
            yield replace(block, X=np.ascontiguousarray(_dense(block.X, absent)))


def _dense(X: Matrix, absent: float) -> AnyArray:
    if isinstance(X, np.ndarray):
        return X
    dense = np.full(X.shape, absent, dtype=X.dtype)
    dense[np.repeat(np.arange(len(dense)), np.diff(X.indptr)), X.indices] = X.data
    return dense


def _batch_bytes() -> int:
    """What a batch of queries may take for each thread of the engine."""
    engine = current_engine()
    if not isinstance(engine, LocalEngine):
        return _BATCH_BYTES
    return min(_BATCH_BYTES, int(engine.memory_bytes * _BATCH_SHARE) // engine.n_threads)


def checked_rows(rows: Any, n_rows: int) -> Int64Array:
    """Numbers of rows to remove, ascending; each must be there, once, and some must stay."""
    numbers = np.unique(np.asarray(rows))
    if np.size(rows) == 0:
        return np.empty(0, dtype=np.int64)
    if numbers.dtype.kind not in "iu" or len(numbers) < np.size(rows):
        raise ParameterError("rows to forget are whole numbers, none of them twice.")
    if numbers[0] < 0 or numbers[-1] >= n_rows:
        bad = numbers[0] if numbers[0] < 0 else numbers[-1]
        raise ParameterError(
            f"There is no row {bad} to forget: the model has rows 0 to {n_rows - 1}."
        )
    if len(numbers) == n_rows:
        raise ParameterError(
            f"All {n_rows} rows were to be forgotten: a model of no rows cannot be. Fit it anew."
        )
    return numbers.astype(np.int64)
