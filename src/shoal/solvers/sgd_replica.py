"""One run of stochastic gradient descent over the rows of a cell."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import KW_ONLY, asdict, dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from shoal import _kernels
from shoal._typing import AnyArray, Float64Array, Int32Array, Int64Array
from shoal.data.block import Block
from shoal.data.source import Cell
from shoal.statistics.keyed_sample import keyed_uniform
from shoal.statistics.purpose import Purpose

#: Arrays that kernels change in place.
_ARRAYS = ("coef", "intercept", "received", "total", "intercept_total", "first", "second")

#: A group of rows that are permuted lies within so many bytes, a part of a second-level cache; it
#: consists of so many runs of neighbouring rows from anywhere in the window.
_GROUP_BYTES = 1 << 17
_RUNS_A_GROUP = 16
#: A window has room for this many bytes: a few in flight fit a small budget.
_WINDOW_BYTES = 4 << 20
_MOST_WINDOW_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Learning:
    """How a step changes the weights.

    Parameters
    ----------
    loss : str
        Name of a loss among the kernels.
    parameter : float
        Of the loss.
    negative, positive : float
        Targets of the rows that are not, and are, of an output's class; of several outputs.
    schedule : {"constant", "optimal", "invscaling"}
        With t steps made before, the rate is `rate`, ``1 / (rate * (offset + t))`` or
        ``rate / (t + 1) ** power``.
    rate, power, offset : float
    l2, l1 : float
        Strengths of the penalties.
    intercept_factor : float
        What the rate of the intercept is multiplied by; 0 for no intercept.
    average_from : float
        The first step, counted from 1, after which weights are averaged; infinite for none.
    batch_size : int
        Rows of a step.
    optimizer : {"sgd", "momentum", "nesterov", "adagrad", "adam"}
    momentum, beta_1, beta_2, epsilon : float
        Of the optimizer.
    """

    loss: str
    parameter: float
    _: KW_ONLY
    negative: float
    positive: float
    schedule: str
    rate: float
    power: float
    offset: float
    l2: float
    l1: float
    intercept_factor: float
    average_from: float
    batch_size: int = 1
    optimizer: str = "sgd"
    momentum: float = 0.9
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    @property
    def averages(self) -> bool:
        return bool(np.isfinite(self.average_from))

    @property
    def is_one_by_one(self) -> bool:
        """Whether steps are those of the plain method, which counts what L1 has due."""
        return self.batch_size == 1 and self.optimizer == "sgd"


@dataclass(frozen=True, slots=True)
class Windows:
    """The order in which the rows of a cell are visited.

    Windows are visited in row order, so that data on disk are read in long runs. Within one, runs
    of neighbouring rows come in random order, and then the rows of each group of runs: the order
    is a function of seed, epoch and row numbers alone.

    Parameters
    ----------
    rows : int
        Of a window.
    group_rows : int
        Of a group.
    seed : int
        Key of the orders, and of what is held out.
    held_out : float, default=0.0
        Share of rows that are not visited, the same ones in every epoch.
    shuffle : bool, default=True
        False: rows come as they are.
    """

    rows: int
    group_rows: int
    seed: int
    held_out: float = 0.0
    shuffle: bool = True

    @classmethod
    def of(cls, row_bytes: int, seed: int, held_out: float, *, shuffle: bool) -> "Windows":
        """Of a size that depends on that of a row alone."""
        group_rows = _power_of_two(_GROUP_BYTES // row_bytes, _RUNS_A_GROUP, 4096)
        rows = _power_of_two(_WINDOW_BYTES // row_bytes, group_rows, _MOST_WINDOW_ROWS)
        return cls(rows, group_rows, seed, held_out, shuffle)

    @property
    def rows_ahead(self) -> int:
        """How far ahead rows are asked for: those of the next group come before it begins."""
        return self.group_rows + self.group_rows // 4

    def cut(self, cell: Cell, block: Block) -> tuple[Int64Array, Int64Array]:
        """The windows of a block of a cell: numbers of their first rows, positions of their ends.

        Each of shape (n_windows,); those of dropped rows alone are left out.
        """
        last = block.first_row + block.n_rows if block.rows is None else int(block.rows[-1]) + 1
        first = block.first_row - (block.first_row - cell.first_row) % self.rows
        first_rows = np.arange(first, last, self.rows, dtype=np.int64)
        if block.rows is None:
            return first_rows, np.minimum(first_rows + self.rows, last) - block.first_row
        ends = np.searchsorted(block.rows, first_rows + self.rows)
        has_rows = np.diff(ends, prepend=0) > 0
        return first_rows[has_rows], ends[has_rows]

    def visits(
        self, epoch: int, cell: Cell, block: Block, room: Int32Array
    ) -> tuple[Int64Array, Int32Array | None]:
        """Where windows end among the visits of a block, and positions of the rows visited.

        The latter, of shape (2, n_visits), are in order of their visits and in one nearer to that
        in memory; None for all rows, as they are. They may take `room`, of 2 n_rows and more.
        """
        first_rows, ends = self.cut(cell, block)
        kept = self.kept(block)
        order: Int32Array | None = None
        if self.shuffle:
            order = room[: 2 * block.n_rows].reshape(2, -1)
            run_rows = max(1, self.group_rows // _RUNS_A_GROUP)
            purpose = Purpose.ROW_ORDER + epoch
            _kernels.shuffled_rows(
                self.seed, purpose, first_rows, ends, run_rows, self.group_rows, order
            )
        if kept is None:
            return ends, order
        if order is None:
            order = np.tile(np.arange(block.n_rows, dtype=np.int32), (2, 1))
        return np.cumsum(kept)[ends - 1], order[kept[order]].reshape(2, -1)

    def kept(self, block: Block) -> AnyArray | None:
        """Which rows of a block are visited, shape (n_rows,), bool; None for all."""
        if not self.held_out:
            return None
        return ~held_out_rows(block, self.seed, self.held_out)


def held_out_rows(block: Block, seed: int, share: float) -> AnyArray:
    """Which rows of a block are held out, shape (n_rows,), bool."""
    chosen: AnyArray = keyed_uniform(seed, Purpose.HELD_OUT_ROWS, block) < share
    return chosen


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The weights of a model and all that steps remember; replicas begin and end with one.

    Attributes
    ----------
    coef : ndarray of shape (n_outputs, n_features)
        Of the type of the data.
    intercept : ndarray of shape (n_outputs,), float64
    n_steps : int
    due : float
        What the L1 penalty has asked of each weight so far.
    received : ndarray of shape (n_outputs, n_features), float64, or None
        What it has taken of each, with sign.
    total, intercept_total : ndarray of the shapes of coef and intercept, float64, or None
        Sums of them over the steps that are averaged.
    n_averaged : float
        Number of these steps; of several replicas, the mean of theirs.
    first, second : ndarray of shape (n_outputs, n_features + 1), float64, or None
        Moments of gradients that the optimizer keeps; the intercept's last.
    """

    coef: AnyArray
    intercept: Float64Array
    n_steps: int = 0
    due: float = 0.0
    received: Float64Array | None = None
    total: Float64Array | None = None
    intercept_total: Float64Array | None = None
    n_averaged: float = 0.0
    first: Float64Array | None = None
    second: Float64Array | None = None

    @classmethod
    def zeros(cls, coef: AnyArray, intercept: Float64Array, learning: Learning) -> "Weights":
        """These weights, with nothing to remember of steps before."""
        shape = coef.shape
        with_intercept = (shape[0], shape[1] + 1)
        has_first = learning.optimizer in ("momentum", "nesterov", "adam")
        has_second = learning.optimizer in ("adagrad", "adam")
        return cls(
            coef,
            intercept,
            received=np.zeros(shape) if learning.l1 and learning.is_one_by_one else None,
            total=np.zeros(shape) if learning.averages else None,
            intercept_total=np.zeros(len(intercept)) if learning.averages else None,
            first=np.zeros(with_intercept) if has_first else None,
            second=np.zeros(with_intercept) if has_second else None,
        )

    @property
    def model(self) -> tuple[AnyArray, Float64Array]:
        """Coefficients and intercepts: averaged, as far as there are averages."""
        if not self.n_averaged:
            return self.coef, self.intercept
        assert self.total is not None
        assert self.intercept_total is not None
        return self.total / self.n_averaged, self.intercept_total / self.n_averaged

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.coef).all() and np.isfinite(self.intercept).all())


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """What one replica has made of an epoch.

    Attributes
    ----------
    weights : Weights
    n_rows : int
        Rows visited.
    weight : float
        Sum of their weights.
    loss, first_loss : float
        Weighted sum of the losses met before each step, and of those of a model of zeros.
    """

    weights: Weights
    n_rows: int
    weight: float
    loss: float
    first_loss: float


@dataclass(frozen=True, slots=True, eq=False)
class Replica:
    """Visits the rows of a cell once, from given weights on.

    Parameters
    ----------
    weights : Weights
        Not changed.
    learning : Learning
    windows : Windows
    epoch : int
        0 for the first, in which the loss of a model of zeros is found too.
    """

    weights: Weights
    learning: Learning
    windows: Windows
    epoch: int

    def __call__(self, cell: Cell, blocks: Iterator[Block]) -> Ran:
        run = _Run(self)
        room: Int32Array = np.empty(0, dtype=np.int32)
        for block in blocks:
            if len(room) < 2 * block.n_rows:
                # New memory for each block would cost as much as the order in it.
                room = np.empty(2 * block.n_rows, dtype=np.int32)
            run.visit(block, *self.windows.visits(self.epoch, cell, block, room))
        with not_finite_in_silence():
            return run.ended()


def not_finite_in_silence() -> AbstractContextManager[object]:
    """Arithmetic of weights that may not be finite: whoever averages them looks."""
    return np.errstate(over="ignore", invalid="ignore")


class _Run:
    """A replica under way: arrays that kernels change in place."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        start = replica.weights
        learning = replica.learning
        self._settings = asdict(learning) | {
            "rows_ahead": replica.windows.rows_ahead,
            "is_first": replica.epoch == 0,
        }
        self._arrays: dict[str, Any] = {
            name: None if getattr(start, name) is None else getattr(start, name).copy()
            for name in _ARRAYS
        }
        self._counters = np.array([start.n_steps, start.due, 0.0, 0.0, 0.0, 1.0, 0.0])
        self._n_rows = 0

    def visit(self, block: Block, ends: Int64Array, order: Int32Array | None) -> None:
        """Take the steps of a block's windows."""
        X, target, weight = block.X, _vector(block.target), _vector(block.sample_weight)
        assert target is not None, "the dataset has no target"
        held = self._arrays | {"counters": self._counters}
        rows = (ends, order, target, weight, self._settings, held)
        if isinstance(X, np.ndarray):
            _kernels.sgd(X, *rows)
        else:
            _kernels.sgd_csr(X.data, X.indices, X.indptr, X.shape[1], *rows)
        self._n_rows += int(ends[-1])

    def ended(self) -> Ran:
        """What has come out."""
        steps, due, loss, first_loss, weight, scale, scale_total = self._counters.tolist()
        arrays = self._arrays
        if arrays["total"] is not None:
            arrays["total"] += scale_total * arrays["coef"]
        if scale != 1.0:
            arrays["coef"] *= arrays["coef"].dtype.type(scale)
        if arrays["received"] is not None:
            _take_due(arrays["coef"], due, arrays["received"])
        start = self._replica.weights
        n_steps = int(steps)
        n_averaged = start.n_averaged
        if self._replica.learning.averages:
            begin = max(start.n_steps, int(self._replica.learning.average_from) - 1)
            n_averaged += max(0, n_steps - begin)
        weights = replace(start, **arrays, n_steps=n_steps, due=due, n_averaged=n_averaged)
        return Ran(weights, self._n_rows, weight, loss, first_loss)


def averaged(ran: list[Ran]) -> Weights:
    """The mean of what replicas end with, each by its rows; of one replica, its own bits."""
    if len(ran) == 1:
        return ran[0].weights
    n_rows = sum(one.n_rows for one in ran)
    shares = [one.n_rows / n_rows for one in ran]

    def mean(name: str) -> Any:
        values = [getattr(one.weights, name) for one in ran]
        if values[0] is None:
            return None
        weighed = [share * np.asarray(v, float) for share, v in zip(shares, values, strict=True)]
        return reduce(np.add, weighed).astype(np.asarray(values[0]).dtype)

    return Weights(
        **{name: mean(name) for name in _ARRAYS},
        due=float(mean("due")),
        n_averaged=float(mean("n_averaged")),
        n_steps=max(one.weights.n_steps for one in ran),
    )


def _take_due(coef: AnyArray, due: float, received: Float64Array) -> None:
    """Let L1 take what it has due of weights that no sparse row has touched for a while."""
    before = coef.astype(np.float64)
    left = np.where(
        before > 0,
        np.maximum(0.0, before - (due + received)),
        np.minimum(0.0, before + (due - received)),
    )
    coef[...] = left
    received += left - before


def _vector(values: AnyArray | None) -> Float64Array | None:
    """A target or weights, contiguous."""
    if values is None:
        return None
    return np.ascontiguousarray(values, dtype=np.float64).reshape(-1)


def _power_of_two(n: int, least: int, most: int) -> int:
    """The largest one that is no more than `n`, between two others."""
    return min(max(1 << max(n.bit_length() - 1, 0), least), most)
