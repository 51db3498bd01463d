"""`check_engine` fails on engines that break a promise. Each engine passes it beside its tests."""

import threading
import time
from contextvars import copy_context

import pytest

from shoal.engines.local import LocalEngine
from shoal.testing import engine as testing
from shoal.testing.engine import check_engine


class LosesARow(LocalEngine):
    def fold(self, dataset, statistic):
        found = super().fold(dataset, statistic)
        return found | {"n_rows": found["n_rows"] - 1}


class Forgets(LocalEngine):
    n_folds = 0

    def fold(self, dataset, statistic):
        self.n_folds += 1
        return super().fold(dataset, statistic) if self.n_folds % 4 else statistic.zero()


class SwallowsErrors(LocalEngine):
    def fold(self, dataset, statistic):
        try:
            return super().fold(dataset, statistic)
        except ValueError:
            return None


class Unordered(LocalEngine):
    def map_blocks(self, dataset, function):
        return iter(list(super().map_blocks(dataset, function))[::-1])


class MixesUp(LocalEngine):
    def map_blocks(self, dataset, function):
        pairs = list(super().map_blocks(dataset, function))
        results = [result for _, result in pairs]
        return iter([(pairs[i][0], results[i - 1]) for i in range(len(pairs))])


class SwapsCells(LocalEngine):
    def map_cells(self, dataset, function):
        return super().map_cells(dataset, function)[::-1]


class ForgetsCells(LocalEngine):
    n_maps = 0

    def map_cells(self, dataset, function):
        self.n_maps += 1
        return super().map_cells(dataset, function)[self.n_maps % 5 == 0 :]


class GoesOn(LocalEngine):
    def fold(self, dataset, statistic):
        try:
            return super().fold(dataset, statistic)
        except KeyboardInterrupt:
            time.sleep(5)
            raise


class LeavesAThread(LocalEngine):
    def close(self):
        super().close()
        if not hasattr(self, "left"):
            self.left = threading.Thread(target=time.sleep, args=(20,), daemon=True)
            self.left.start()


class StaysCurrent(LocalEngine):
    def __exit__(self, *error):
        self.close()


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (LosesARow, "not what a serial fold gives"),
        (Forgets, "release changes a fold"),
        (SwallowsErrors, "NonFiniteError was swallowed"),
        (Unordered, "loses, repeats or swaps rows"),
        (MixesUp, "the result of another"),
        (SwapsCells, "swaps rows or cells"),
        (ForgetsCells, "nobody took are lost"),
        (GoesOn, "to end a pass"),
        (LeavesAThread, "left behind"),
        (StaysCurrent, "still current"),
    ],
)
def test_the_suite_finds(engine, message, monkeypatch):
    monkeypatch.setattr(testing, "_PATIENCE_SECONDS", 0.1)
    # One of them stays current: in a context of its own, not for the tests that follow.
    with pytest.raises(AssertionError, match=message):
        copy_context().run(check_engine, lambda: engine(2))
