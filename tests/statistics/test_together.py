"""Several statistics in one pass give what each gives alone."""

from dataclasses import dataclass

import numpy as np
from tests.statistics.rows import blobs, fold

from shoal import open_dataset
from shoal.statistics.range import Range
from shoal.statistics.target_range import TargetRange
from shoal.statistics.together import Together
from shoal.testing import check_statistic
from shoal.testing.bits import bits


def test_gives_what_each_gives_alone():
    dataset = open_dataset(blobs(), target=np.arange(150.0))
    both = Together((Range(3), TargetRange(1)))
    check_statistic(both, dataset)
    alone = (fold(Range(3), dataset), fold(TargetRange(1), dataset))
    assert bits(fold(both, dataset)) == bits(alone)


def test_wants_the_room_and_the_windows_of_all():
    @dataclass(frozen=True)
    class Wants(Range):
        rows: int = 16

        @property
        def beside_row_bytes(self):
            return 12

        @property
        def window_rows(self):
            return self.rows

    together = Together((Wants(3), Wants(3, 24), Range(3)))
    assert together.beside_row_bytes == 24
    assert together.window_rows == 48
