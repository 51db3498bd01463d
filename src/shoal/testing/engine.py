"""The conformance suite of engines."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial, reduce
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from shoal.data.arrays import ArraySource
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.source import Cell
from shoal.engines.engine import Engine, entered
from shoal.engines.statistic import Statistic
from shoal.exceptions import NonFiniteError, ParameterError
from shoal.testing.bits import bits

_N_ROWS = 200_000

#: How long a thread works on a block of a pass that is to be cancelled, and how long the pass may
#: go on after that; all its blocks would take many times as long.
_BLOCK_SECONDS = 0.5
_PROMPT_SECONDS = 4.0

#: How long what an engine holds may take to go after it is closed.
_PATIENCE_SECONDS = 2.0


def check_engine(make_engine: Callable[[], Engine]) -> None:
    """Check that an engine keeps the promises of `Engine`.

    Folds give what a serial fold gives, to the last bit, pass after pass and after ``release``;
    ``map_blocks`` gives every row once, in order, and ``map_cells`` every cell, its rows in order;
    errors of sources and statistics arrive with
    their types and leave the engine usable; statistics whose windows blocks
    would cut are refused; an interrupt ends a pass soon; inside ``with`` the
    engine is current; and nothing is left behind, neither threads nor open files.

    Parameters
    ----------
    make_engine : callable
        Makes the engine; called a few times, in the main thread.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.
    """
    for check in (_check_folds, _check_maps, _check_cells, _check_errors, _check_interrupt):
        with make_engine() as engine:
            check(engine)
    _check_context(make_engine)
    _check_nothing_left(make_engine)


class RowDigest(Statistic["dict[str, Any]", "dict[str, Any]"]):
    """An exact summary of all rows; to lose, repeat or change one gives another."""

    def zero(self) -> dict[str, Any]:
        return {"n_rows": 0, "digest": 0, "minimum": None}

    def update(self, partial: dict[str, Any], block: Block) -> dict[str, Any]:
        return self.merge(
            partial, {"n_rows": block.n_rows, "digest": _digest(block), "minimum": block.minimum}
        )

    def merge(self, partial: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
        minima = [part["minimum"] for part in (partial, other) if part["minimum"] is not None]
        return {
            "n_rows": partial["n_rows"] + other["n_rows"],
            "digest": (partial["digest"] + other["digest"]) % 2**64,
            "minimum": reduce(np.minimum, minima) if minima else None,
        }

    def result(self, partial: dict[str, Any]) -> dict[str, Any]:
        return partial


class _Failing(RowDigest):
    """Fails at one row."""

    def __init__(self, row: int) -> None:
        self._row = row

    def update(self, partial: dict[str, Any], block: Block) -> dict[str, Any]:
        if block.first_row <= self._row < block.first_row + block.n_rows:
            raise LookupError(f"row {self._row}")
        return super().update(partial, block)


class _Windowed(RowDigest):
    """Asks for windows that no dataset of 64 rows a window has."""

    @property
    def window_rows(self) -> int:
        return 48


class _Slow(RowDigest):
    """Takes its time."""

    def update(self, partial: dict[str, Any], block: Block) -> dict[str, Any]:
        time.sleep(_BLOCK_SECONDS)
        return super().update(partial, block)


def _digest(block: Block) -> int:
    """A number that depends on every bit of every row, whatever the split into blocks."""
    return int(_row_digests(block).sum())


def _row_digests(block: Block) -> NDArray[np.uint64]:
    """A number for each row that depends on its every bit, shape (n_rows,)."""
    words = [block.row_numbers.astype(np.uint64)]
    words += [
        column.astype(np.float64).view(np.uint64) for column in np.ascontiguousarray(block.X.T)
    ]
    for role in (block.target, block.sample_weight):
        if role is not None:
            words.append(role.astype(np.float64).view(np.uint64))
    with np.errstate(over="ignore"):
        rows = reduce(lambda h, word: (h ^ word) * np.uint64(0x9E3779B97F4A7C15), words)
        rows ^= rows >> np.uint64(29)
        return rows


def _datasets() -> list[Dataset]:
    """Blocks with and without weights, targets, dropped rows and conversion."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((_N_ROWS, 3))
    holes = X.copy()
    holes[rng.integers(0, _N_ROWS, 500), 1] = np.nan
    weight = rng.random(_N_ROWS)
    return [
        Dataset(ArraySource(X), (0, 1, 2)),
        Dataset(ArraySource(X[:1]), (0, 1, 2)),
        Dataset(ArraySource(holes), (2, 1), 0, weight, np.dtype(np.float32), "drop"),
        Dataset(ArraySource(rng.integers(0, 99, (_N_ROWS, 2))), (0,), 1),
    ]


def _serial(dataset: Dataset) -> Any:
    statistic = RowDigest()
    blocks = (block for cell in dataset.cells for block in dataset.read(cell, 1000))
    return bits(statistic.result(reduce(statistic.update, blocks, statistic.zero())))


def _check_folds(engine: Engine) -> None:
    for dataset in _datasets():
        expected = _serial(dataset)
        for _ in range(3):
            assert bits(engine.fold(dataset, RowDigest())) == expected, (
                f"a fold over {dataset!r} is not what a serial fold gives"
            )
        engine.release(dataset)
        assert bits(engine.fold(dataset, RowDigest())) == expected, "release changes a fold"


def _first_and_length(block: Block) -> tuple[int, int]:
    return block.first_row, block.n_rows


def _check_maps(engine: Engine) -> None:
    for dataset in _datasets():
        expected = np.concatenate(
            [
                block.row_numbers
                for cell in dataset.cells
                for block in dataset.read(cell, cell.n_rows)
            ]
        )
        for _ in range(2):
            found = list(engine.map_blocks(dataset, _first_and_length))
            rows = np.concatenate([block.row_numbers for block, _ in found])
            assert np.array_equal(rows, expected), "map_blocks loses, repeats or swaps rows"
            assert all(result == _first_and_length(block) for block, result in found), (
                "map_blocks gives a block the result of another"
            )
            engine.fold(dataset, RowDigest())
        next(engine.map_blocks(dataset, _first_and_length))  # and no more of it


def _running_digest(cell: Cell, blocks: Iterator[Block]) -> tuple[int, int]:
    """The cell's index, and a number that depends on the order of its rows too."""
    digest, n_rows = np.uint64(0), 0
    with np.errstate(over="ignore"):
        for block in blocks:
            places = np.arange(n_rows, n_rows + block.n_rows, dtype=np.uint64)
            digest += (_row_digests(block) * (2 * places + 1)).sum()
            n_rows += block.n_rows
    return cell.index, int(digest)


def _check_cells(engine: Engine) -> None:
    for dataset in _datasets():
        expected = [_running_digest(cell, dataset.read(cell, 1000)) for cell in dataset.cells]
        for _ in range(3):
            found = engine.map_cells(dataset, _running_digest)
            assert found == expected, "map_cells loses, repeats or swaps rows or cells"
            assert bits(engine.fold(dataset, RowDigest())) == _serial(dataset), (
                "map_cells spoils later folds"
            )
        assert engine.map_cells(dataset, _index) == [cell.index for cell in dataset.cells], (
            "map_cells wants a function to take all blocks"
        )
        assert engine.map_cells(dataset, _running_digest) == expected, (
            "cells whose blocks nobody took are lost"
        )


def _index(cell: Cell, blocks: Iterator[Block]) -> int:
    return cell.index


def _check_errors(engine: Engine) -> None:
    good, *_ = _datasets()
    X = np.zeros((_N_ROWS, 3))
    X[_N_ROWS - 5, 2] = np.inf
    bad = Dataset(ArraySource(X), (0, 1, 2))
    for dataset, statistic, expected in (
        (bad, RowDigest(), NonFiniteError(f"row {_N_ROWS - 5}")),
        (good, _Windowed(), ParameterError("windows of 48 rows")),
        (good, _Failing(0), LookupError("row 0")),
        (good, _Failing(_N_ROWS - 1), LookupError(f"row {_N_ROWS - 1}")),
    ):
        _check_raises(expected, partial(engine.fold, dataset, statistic))
    _check_raises(NonFiniteError(f"row {_N_ROWS - 5}"), partial(engine.map_cells, bad, _last_row))
    _check_raises(LookupError("cell"), partial(engine.map_cells, good, _stop))
    divided = engine.map_blocks(good, _divide_by_zero)
    _check_raises(ZeroDivisionError("division by zero"), partial(list, divided))
    assert bits(engine.fold(good, RowDigest())) == _serial(good), "an error spoils later folds"


def _last_row(cell: Cell, blocks: Iterator[Block]) -> int:
    return max(block.first_row + block.n_rows for block in blocks)


def _stop(cell: Cell, blocks: Iterator[Block]) -> int:
    raise LookupError(f"cell {cell.index}")


def _divide_by_zero(block: Block) -> float:
    return block.n_rows / 0


def _check_raises(expected: Exception, call: Callable[[], object]) -> None:
    """`call` must raise an error of this type whose message contains this one's."""
    found: Exception | None = None
    try:
        call()
    except type(expected) as error:
        found = error
    assert found is not None, f"a {type(expected).__name__} was swallowed"
    assert str(expected) in str(found), f"{found!r} does not say {str(expected)!r}"


def _check_interrupt(engine: Engine) -> None:
    """An interrupt while blocks are being worked on ends the pass after the ones in hand."""
    rows = np.zeros((20 * _N_ROWS, 1))
    dataset = Dataset(ArraySource(rows), (0,))
    for call in (
        partial(engine.fold, dataset, _Slow()),
        partial(engine.map_cells, dataset, _slow_last_row),
    ):
        _check_prompt(call)
    assert engine.fold(dataset, RowDigest())["n_rows"] == len(rows), "an interrupt spoils folds"


def _slow_last_row(cell: Cell, blocks: Iterator[Block]) -> int:
    time.sleep(_BLOCK_SECONDS)
    return _last_row(cell, blocks)


def _check_prompt(call: Callable[[], object]) -> None:
    """An interrupt ends `call` soon."""
    main = threading.main_thread().ident
    assert main == threading.get_ident(), "call check_engine in the main thread"
    timer = threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    began = time.monotonic()
    try:
        call()
    except KeyboardInterrupt:
        seconds = time.monotonic() - began
        assert seconds < _PROMPT_SECONDS, f"an interrupt took {seconds:.1f} s to end a pass"
    else:
        raise AssertionError("an interrupt was swallowed")
    finally:
        timer.join()


def _check_context(make_engine: Callable[[], Engine]) -> None:
    before = entered.get()
    with make_engine() as engine:
        assert entered.get()[-1] is engine, "the engine is not current inside with"
    assert entered.get() == before, "the engine is still current after with"
    engine.close()  # again


def _check_nothing_left(make_engine: Callable[[], Engine]) -> None:
    """An engine that leaves something does so each time; libraries keep things now and then."""
    left = ["everything"]
    before = _held_after(make_engine)
    for _ in range(5):
        after = _held_after(make_engine)
        left = _left(before)
        if not left:
            return
        before = before[0] | after[0], max(before[1], after[1])
    raise AssertionError(f"left behind by each of five engines: {left}")


def _held_after(make_engine: Callable[[], Engine]) -> tuple[set[threading.Thread], int]:
    """Threads and the number of open files that are there when an engine is closed."""
    with make_engine() as engine:
        for dataset in _datasets():
            engine.fold(dataset, RowDigest())
            engine.map_cells(dataset, _index)
            next(engine.map_blocks(dataset, _first_and_length))
    return set(threading.enumerate()), psutil.Process().num_fds()


def _left(before: tuple[set[threading.Thread], int]) -> list[str]:
    """What is there that was not before, and does not go soon."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (left := _more_than(before)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _more_than(before: tuple[set[threading.Thread], int]) -> list[str]:
    """What is there now that was not before."""
    threads, n_files = before
    left = [str(thread) for thread in set(threading.enumerate()) - threads]
    more = psutil.Process().num_fds() - n_files
    return [*left, f"{more} open files"] if more > 0 else left
