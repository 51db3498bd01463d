"""The prefetch thread: order, bounds, errors, and its end."""

import threading
import time
from itertools import chain, count

import pytest

from shoal.data.prefetch import Prefetch

pytestmark = pytest.mark.usefixtures("no_leaks")


def taken(ahead):
    return list(iter(ahead.take, None))


def settle(condition):
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


@pytest.mark.parametrize("depth", [1, 3, 100])
def test_items_come_in_order(depth):
    ahead = Prefetch(iter(range(50)), depth)
    assert taken(ahead) == [*range(50)]
    assert ahead.take() is None
    ahead.close()


def test_no_more_than_its_depth_is_read_ahead():
    read = []
    ahead = Prefetch((read.append(i) or i for i in count()), 3)
    settle(lambda: len(read) == 3)
    time.sleep(0.05)
    assert len(read) == 3
    assert ahead.take() == 0
    settle(lambda: len(read) == 4)
    ahead.close()
    assert len(read) == 4


def test_without_waiting_nothing_may_be_there_yet():
    go_on = threading.Event()
    ahead = Prefetch((go_on.wait() and i for i in (1, 2)), 2)
    assert ahead.take(wait=False) is None
    go_on.set()
    assert ahead.take() == 1
    assert taken(ahead) == [2]
    ahead.close()


def failing():
    yield 1
    yield 2
    raise LookupError("no third")


def test_an_error_comes_after_the_items_before_it():
    ahead = Prefetch(failing(), 5)
    settle(lambda: not ahead._thread.is_alive())
    assert [ahead.take(), ahead.take()] == [1, 2]
    for wait in (True, False):
        with pytest.raises(LookupError, match="no third"):
            ahead.take(wait=wait)
    ahead.close()


@pytest.mark.parametrize("n_taken", [0, 1, 4])
def test_close_ends_the_thread(n_taken):
    ahead = Prefetch(count(1), 2)
    assert [ahead.take() for _ in range(n_taken)] == [*range(1, n_taken + 1)]
    ahead.close()
    ahead.close()
    assert not ahead._thread.is_alive()
    assert ahead.take() is None


def test_cancel_wakes_up_who_waits():
    never = threading.Event()
    ahead = Prefetch((never.wait() for _ in range(1)), 2)
    found = []
    waiting = threading.Thread(target=lambda: found.append(ahead.take()))
    waiting.start()
    ahead.cancel()
    waiting.join(5)
    assert found == [None]
    never.set()
    ahead.close()


def test_many_threads_share_the_items():
    ahead = Prefetch(iter(range(1, 2001)), 4)
    found = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda own=own: own.extend(taken(ahead))) for own in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(chain.from_iterable(found)) == [*range(1, 2001)]
    ahead.close()
