"""`check_statistic` passes sums that are exact in any order, and finds what is not."""

from dataclasses import dataclass

import numpy as np
import pytest

from shoal import open_dataset
from shoal.data.block import Block
from shoal.engines.statistic import Statistic
from shoal.testing.statistic import check_statistic


@dataclass(frozen=True)
class Total(Statistic[int, int]):
    """The sum of the first column, which holds whole numbers."""

    def zero(self) -> int:
        return 0

    def update(self, partial: int, block: Block) -> int:
        return partial + int(block.X[:, 0].sum())

    def merge(self, partial: int, other: int) -> int:
        return partial + other

    def result(self, partial: int) -> int:
        return partial


class RunningFloats(Total):
    """Rounds at each block, so the blocks show."""

    def update(self, partial, block):
        return float(np.float32(partial) + np.float32((block.X[:, 0] / 3).sum()))


class RemembersOrder(Total):
    def update(self, partial, block):
        return 31 * partial + int(block.X[:, 0].sum())


class MergesLate(Total):
    def merge(self, partial, other):
        return max(partial, other)


class StartsAtOne(Total):
    def zero(self):
        return 1


class TrustsWhatIsBeside(Total):
    def update(self, partial, block):
        seen = block.beside.setdefault("seen", [])
        seen.append(block.first_row)
        return partial + int(block.X[:, 0].sum()) + (len(seen) > 2)


@pytest.fixture(scope="module")
def dataset():
    return open_dataset(np.random.default_rng(0).integers(1, 1000, (500, 2)).astype(float))


def test_an_exact_sum_passes(dataset):
    check_statistic(Total(), dataset)


@pytest.mark.parametrize(
    ("statistic", "message"),
    [
        (RunningFloats, "depends on blocks"),
        (RemembersOrder, "depends on blocks"),
        (MergesLate, "what update gives"),
        (StartsAtOne, "merge is not"),
        (TrustsWhatIsBeside, "beside blocks changes"),
    ],
)
def test_the_suite_finds(dataset, statistic, message):
    with pytest.raises(AssertionError, match=message):
        check_statistic(statistic(), dataset)


def test_few_rows_are_refused():
    with pytest.raises(AssertionError, match="three rows"):
        check_statistic(Total(), open_dataset(np.ones((2, 1))))
