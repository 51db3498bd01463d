"""Threads that make calls: how many, and that they end."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from weakref import ref

import numpy as np
import pytest
from tests.engines.clusters import eventually

from shoal.engines.callers import Callers

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def callers() -> Iterator[Callers]:
    callers = Callers()
    yield callers
    callers.end()


def this_thread() -> int:
    return threading.get_ident()


def test_what_calls_return_and_raise(callers: Callers) -> None:
    assert callers.start(divmod, 7, 3).result(10) == (2, 1)
    with pytest.raises(ZeroDivisionError):
        callers.start(divmod, 7, 0).result(10)
    with pytest.raises(SystemExit):
        callers.start(exit, 3).result(10)
    assert callers.start(divmod, 8, 3).result(10) == (2, 2)


def test_one_after_the_other(callers: Callers) -> None:
    threads = set()
    for _ in range(20):
        threads.add(callers.start(this_thread).result(10))
        time.sleep(0.005)
    assert len(threads) == 1


def test_all_at_a_time(callers: Callers) -> None:
    together = threading.Barrier(5, timeout=10)
    for _ in range(2):
        waits: list[Future[int]] = [callers.start(together.wait) for _ in range(5)]
        assert {one.result(10) for one in waits} == set(range(5))


def test_nothing_is_kept_of_a_call(callers: Callers) -> None:
    class Rows(np.ndarray):
        pass

    rows = np.zeros(10).view(Rows)
    kept = ref(rows)
    wait([callers.start(np.sum, rows)])
    del rows
    assert eventually(lambda: kept() is None)


def test_calls_that_were_begun_are_made() -> None:
    callers = Callers()
    calls = [callers.start(time.sleep, 0.05) for _ in range(3)]
    callers.end()
    assert [call.result(10) for call in calls] == [None] * 3
