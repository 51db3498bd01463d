"""The rows with the smallest random keys: a sample that does not depend on how rows are split."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.statistics.nearest_center import nearest_center


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows that were drawn, in the order of their numbers.

    Attributes
    ----------
    rows : ndarray of shape (n_sampled,), int64
        Row numbers, ascending.
    X : ndarray of shape (n_sampled, n_features)
        Their features, dense, C-contiguous.
    sample_weight : ndarray of shape (n_sampled,), float64, or None
        Their weights, if the dataset has any.
    keys : ndarray of shape (n_sampled,), float64
        What they were chosen by.
    target : ndarray of shape (n_sampled,) or (n_sampled, n_outputs), or None
        Their targets, if the dataset has any.
    """

    rows: Int64Array
    X: AnyArray
    sample_weight: Float64Array | None
    keys: Float64Array
    target: AnyArray | None = None

    def take(self, which: AnyArray) -> "Sample":
        """The rows at the positions (or under the mask) `which`."""
        return Sample(
            self.rows[which],
            self.X[which],
            _taken(self.sample_weight, which),
            self.keys[which],
            _taken(self.target, which),
        )

    def smallest(self, size: int) -> "Sample":
        """The `size` rows with the smallest keys, ties by row number."""
        if len(self.rows) <= size:
            return self
        return self.take(_smallest(self.keys, self.rows, size))


@dataclass(frozen=True, slots=True, eq=False)
class KeyedSample(Statistic[Sample, Sample]):
    r"""A random sample without replacement: the rows with the smallest keys.

    Row :math:`i` has the key :math:`-\log(u_i) / p_i`, where :math:`u_i \in (0, 1)` is Philox
    keyed by (seed, purpose, row number), so the sample is the same however rows are split into
    blocks. The first row drawn is row :math:`i` with probability proportional to :math:`p_i`, and
    so on among those left. Rows of weight or probability 0 are never drawn.

    One pass; memory of ``size`` rows a thread.

    Parameters
    ----------
    size : int
        Rows to draw; all of them, where there are fewer.
    n_features : int
    dtype : numpy.dtype
    seed, purpose : int
        Key of the random numbers: equal keys draw equal samples.
    by_weight : bool, default=False
        Whether :math:`p_i` holds the sample weight.
    centers : ndarray of shape (n_centers, n_features), default=None
        Whether :math:`p_i` holds the squared distance to the nearest of these.
    shift : ndarray of shape (n_features,), float64, default=None
        About the middle of the data; goes with `centers`.

    References
    ----------
    Efraimidis and Spirakis, "Weighted random sampling with a reservoir", Information Processing
    Letters 97 (2006), algorithm A.
    """

    size: int
    n_features: int
    dtype: np.dtype[np.floating]
    seed: int
    purpose: int
    by_weight: bool = False
    centers: AnyArray | None = None
    shift: Float64Array | None = None

    def zero(self) -> Sample:
        return Sample(
            np.empty(0, dtype=np.int64),
            np.empty((0, self.n_features), dtype=self.dtype),
            None,
            np.empty(0),
        )

    def update(self, partial: Sample, block: Block) -> Sample:
        keys = self._keys(block)
        chosen = np.isfinite(keys)
        if len(partial.rows) == self.size:
            chosen &= keys <= partial.keys.max()
        which = np.flatnonzero(chosen)
        if len(which) > self.size:
            which = which[_smallest(keys[which], which, self.size)]
        if not len(which):
            return partial
        X = block.X[which]
        drawn = Sample(
            block.row_numbers[which],
            np.ascontiguousarray(X if isinstance(X, np.ndarray) else X.toarray()),
            _taken(block.sample_weight, which),
            keys[which],
            _taken(block.target, which),
        )
        return self.merge(partial, drawn)

    def merge(self, partial: Sample, other: Sample) -> Sample:
        if not len(partial.rows) or not len(other.rows):
            return other if len(other.rows) else partial
        return Sample(
            np.concatenate([partial.rows, other.rows]),
            np.concatenate([partial.X, other.X]),
            _joined(partial.sample_weight, other.sample_weight),
            np.concatenate([partial.keys, other.keys]),
            _joined(partial.target, other.target),
        ).smallest(self.size)

    def result(self, partial: Sample) -> Sample:
        return partial.take(np.argsort(partial.rows))

    def _keys(self, block: Block) -> Float64Array:
        """The key of each row, infinite for those of probability 0, shape (n_rows,)."""
        uniform = keyed_uniform(self.seed, self.purpose, block)
        probability = np.ones(block.n_rows)
        if block.sample_weight is not None:
            probability *= block.sample_weight if self.by_weight else block.sample_weight > 0
        if self.centers is not None:
            assert self.shift is not None
            _, distances = nearest_center(block.X, self.centers, self.shift)
            probability *= distances
        # NumPy's logarithm differs between processors in the last bit.
        keys = np.empty(block.n_rows)
        _kernels.log(uniform, keys)
        with np.errstate(divide="ignore"):
            return np.divide(keys, -probability, out=keys)


def _smallest(keys: Float64Array, rows: Int64Array, size: int) -> Int64Array:
    """Positions of the `size` smallest of more keys, ties by row number, in no order."""
    limit = np.partition(keys, size - 1)[size - 1]
    which = np.flatnonzero(keys <= limit)
    if len(which) == size:
        return which
    return which[np.lexsort((rows[which], keys[which]))[:size]]


def _taken(values: AnyArray | None, which: AnyArray) -> Any:
    return None if values is None else values[which]


def _joined(values: AnyArray | None, others: AnyArray | None) -> Any:
    """Both, of rows of one dataset: either of them has such values or neither."""
    return None if values is None or others is None else np.concatenate([values, others])


def keyed_uniform(seed: int, purpose: int, block: Block) -> Float64Array:
    """A uniform number in (0, 1) for each row, a function of (seed, purpose, row number) alone."""
    bits = np.empty(block.n_rows, dtype=np.uint64)
    if block.rows is None:
        _kernels.philox(seed, purpose, block.first_row, bits)
    else:
        _kernels.philox_rows(seed, purpose, block.rows, bits)
    # Moved off 0 by half a unit so that the logarithm is finite. With 53 bits the sum would not be
    # exact, and could round to 1.
    uniform: Float64Array = ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    return uniform
