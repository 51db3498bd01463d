"""Which engine estimators use."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier, Event

import numpy as np
import pytest

from shoal import LocalEngine
from shoal.cluster import KMeans
from shoal.engines.current import current_engine


def test_without_a_with_it_is_a_local_engine():
    assert isinstance(current_engine(), LocalEngine)
    assert current_engine() is not current_engine()


def test_it_is_that_of_the_innermost_with():
    with LocalEngine(1) as outer:
        assert current_engine() is outer
        with LocalEngine(2) as inner:
            assert current_engine() is inner
        assert current_engine() is outer
    assert current_engine() is not outer


def test_an_error_ends_it():
    with pytest.raises(KeyError), LocalEngine(1) as engine:
        raise KeyError
    assert current_engine() is not engine


def test_an_engine_may_be_entered_twice():
    engine = LocalEngine(1)
    with engine:
        with engine:
            assert current_engine() is engine
        assert current_engine() is engine
    assert current_engine() is not engine


class Closing(LocalEngine):
    """Counts how often it is closed."""

    n_closed = 0

    def close(self):
        self.n_closed += 1
        super().close()


def test_the_last_with_closes_it():
    engine = Closing(1)
    with engine:
        with engine:
            pass
        assert engine.n_closed == 0
    assert engine.n_closed == 1


def test_threads_may_share_it():
    engine, both_are_in, first_is_out = Closing(1), Barrier(2, timeout=10), Event()

    def first():
        with engine:
            both_are_in.wait()
        first_is_out.set()

    def second():
        with engine:
            both_are_in.wait()
            assert first_is_out.wait(10)
            return current_engine() is engine, engine.n_closed

    with ThreadPoolExecutor(2) as pool:
        pool.submit(first)
        assert pool.submit(second).result() == (True, 0)
    assert engine.n_closed == 1


def test_threads_have_their_own():
    with LocalEngine(1) as engine, ThreadPoolExecutor(1) as pool:
        assert pool.submit(current_engine).result() is not engine
        assert pool.submit(copy_context().run, current_engine).result() is engine


def test_estimators_use_it():
    folds = []

    class Counting(LocalEngine):
        def fold(self, dataset, statistic):
            folds.append(type(statistic).__name__)
            return super().fold(dataset, statistic)

    with Counting(1):
        KMeans(2, random_state=0).fit(np.arange(10.0)[:, None])
    assert folds[:3] == ["Range", "Moments", "KeyedSample"]
    assert folds[-1] == "Assignment"
