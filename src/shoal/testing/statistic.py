"""The conformance suite of statistics."""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar

from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.engines.statistic import Statistic
from shoal.testing.bits import bits

Partial = TypeVar("Partial")
Result = TypeVar("Result")

#: Rows of a block, in turn: whole cells, odd pieces, single rows.
_SPLITS = (1 << 62, 97, 7, 1)


def check_statistic(statistic: Statistic[Partial, Result], dataset: Dataset) -> None:
    """Check that a statistic keeps the promises of `Statistic`, on one dataset.

    However the rows are split into blocks and blocks among partials, in any order, the result is
    the same to the last bit; ``zero()`` changes nothing that it is merged with; a second pass
    over the same blocks, with what the first left beside them, gives the same; statistic and
    partials survive pickling; and folding does not change the statistic.

    Parameters
    ----------
    statistic : Statistic
        What is checked.
    dataset : Dataset
        Of three rows or more, and a few thousand at most: it is read row by row.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.

    Examples
    --------
    >>> import numpy as np
    >>> from shoal import open_dataset
    >>> from shoal.statistics.range import Range
    >>> from shoal.testing import check_statistic
    >>> check_statistic(Range(2), open_dataset(np.arange(20.0).reshape(10, 2)))
    """
    assert dataset.n_rows >= 3, "the suite needs three rows or more"
    dataset = replace(dataset, window_rows=statistic.window_rows)
    before = pickle.dumps(statistic)
    expected = bits(statistic.result(_fold(statistic, _blocks(dataset, _SPLITS[0]))))
    for max_rows in _SPLITS:
        blocks = list(_blocks(dataset, max_rows))
        for order in (blocks, blocks[::-1]):
            found = bits(statistic.result(_fold(statistic, order)))
            assert found == expected, f"the result depends on blocks of {max_rows} rows, or order"
        again = bits(statistic.result(_fold(statistic, blocks)))
        assert again == expected, "what stands beside blocks changes the result"
    _check_merges(statistic, list(_blocks(dataset, 1)), expected)
    copy = pickle.loads(pickle.dumps(statistic))
    found = bits(copy.result(_fold(copy, _blocks(dataset, 97))))
    assert found == expected, "a pickled statistic gives another result"
    assert pickle.dumps(statistic) == before, "folding changes the statistic"


def _blocks(dataset: Dataset, max_rows: int) -> Iterator[Block]:
    for cell in dataset.cells:
        yield from dataset.read(cell, min(max_rows, cell.n_rows))


def _fold(statistic: Statistic[Partial, Any], blocks: Iterator[Block] | Sequence[Block]) -> Partial:
    return reduce(statistic.update, blocks, statistic.zero())


def _check_merges(statistic: Statistic[Partial, Any], rows: Sequence[Block], expected: Any) -> None:
    """The three ways to merge parts, in any order, and with nothing, must agree."""
    thirds = [rows[:1], rows[1 : len(rows) // 2], rows[len(rows) // 2 :]]

    def parts() -> list[Partial]:
        # Merging may change what it is given, so each way gets its own; pickled, as on a cluster.
        return [pickle.loads(pickle.dumps(_fold(statistic, third))) for third in thirds]

    merge = statistic.merge

    def check(partial: Partial, law: str) -> None:
        assert bits(statistic.result(partial)) == expected, f"merge is not {law}"

    a, b, c = parts()
    check(merge(merge(a, b), c), "what update gives")
    a, b, c = parts()
    check(merge(a, merge(b, c)), "associative")
    a, b, c = parts()
    check(merge(merge(c, b), a), "commutative")
    a, b, c = parts()
    nothing = statistic.zero()
    whole = merge(merge(merge(nothing, a), b), c)
    check(merge(whole, statistic.zero()), "neutral to zero()")
