"""Messages between threads, on connections that Dask has made."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pickle import PickleBuffer
from typing import Any

import numpy as np
import pytest
from distributed.comm import connect, listen
from distributed.security import Security

from shoal.engines.line import SMALL_BYTES, Line, Lines

pytestmark = pytest.mark.usefixtures("no_leaks")

Ends = tuple[Line, Line]


async def both_ends(protocol: str, security: Security) -> Ends:
    there: asyncio.Future[Line] = asyncio.get_running_loop().create_future()

    async def handle(comm: Any) -> None:
        there.set_result(Line.taken_from(comm))

    address = f"{protocol}://127.0.0.1:0"
    listener = await listen(address, handle, **security.get_listen_args("worker"))
    arguments = security.get_connection_args("client")
    here = Line.taken_from(await connect(listener.contact_address, **arguments))
    await there
    listener.stop()
    return here, there.result()


@pytest.fixture(params=["tcp", "tls"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """Both ends of a connection, whose event loop runs on and hears nothing of it."""
    security = Security.temporary() if request.param == "tls" else Security()
    with asyncio.Runner() as runner, ThreadPoolExecutor(1) as pool:
        loop = runner.get_loop()
        here, there = runner.run(both_ends(request.param, security))
        assert not any(loop.remove_reader(end._socket.fileno()) for end in (here, there))
        pool.submit(loop.run_forever)
        with closing(here), closing(there):
            yield here, there
        loop.call_soon_threadsafe(loop.stop)


@pytest.mark.parametrize("size", [0, 1, 1000, SMALL_BYTES, 3_000_000])
@pytest.mark.parametrize("n_buffers", [0, 1, 3])
def test_messages_arrive(ends: Ends, size: int, n_buffers: int) -> None:
    here, there = ends
    message = [np.random.default_rng(i).bytes(size) for i in range(n_buffers)]
    with ThreadPoolExecutor(1) as pool:
        sent = [pool.submit(here.send, message) for _ in range(2)]
        for _ in sent:
            assert [bytes(part) for part in there.receive()] == message
        there.send([b"back"])
        assert here.receive() == [b"back"]
        assert [one.result() for one in sent] == [None, None]


def test_columns_first(ends: Ends) -> None:
    array = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    ends[0].send([PickleBuffer(array)])
    (received,) = ends[1].receive()
    np.testing.assert_array_equal(np.frombuffer(received).reshape(4, 3).T, array)
    np.frombuffer(received)[:] = 0  # its own memory


def test_another_thread_ends_the_wait(ends: Ends) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ends[0].receive)
        time.sleep(0.05)
        assert not waiting.done()
        ends[0].end()
        with pytest.raises(ConnectionResetError, match="closed"):
            waiting.result(timeout=10)


def test_the_other_end_is_gone(ends: Ends) -> None:
    ends[1].close()
    with pytest.raises(ConnectionResetError, match="closed"):
        ends[0].receive()


def test_greetings(ends: Ends) -> None:
    here, there = ends
    with pytest.raises(TimeoutError):
        here.await_greeting(0.05)
    there.greet()
    here.await_greeting(5.0)
    there.send([b"what Dask would answer"])
    with pytest.raises(ConnectionError, match="Dask has kept"):
        here.await_greeting(5.0)


class TestLines:
    @pytest.fixture
    def dialled(self) -> Iterator[list[tuple[Line, socket.socket]]]:
        dialled: list[tuple[Line, socket.socket]] = []
        yield dialled
        for line, other_end in dialled:
            line.close()
            other_end.close()

    @pytest.fixture
    def dial(self, dialled: list[tuple[Line, socket.socket]]) -> Any:
        def dial() -> Line:
            here, there = socket.socketpair()
            here.settimeout(10)
            there.settimeout(10)
            dialled.append((Line(here), there))
            return dialled[-1][0]

        return dial

    def test_they_are_used_again(self, dial: Any, dialled: list[Any]) -> None:
        lines = Lines()
        with lines.one(dial) as first, lines.one(dial) as second:
            assert first is not second
        for _ in range(3):
            with lines.one(dial), lines.one(dial):
                pass
        assert len(dialled) == 2

    def test_but_not_one_that_failed(self, dial: Any, dialled: list[Any]) -> None:
        lines = Lines()
        with pytest.raises(ZeroDivisionError), lines.one(dial):
            raise ZeroDivisionError
        assert dialled[0][1].recv(1) == b""
        with lines.one(dial) as line:
            assert line is dialled[1][0]

    def test_their_end(self, dial: Any, dialled: list[Any]) -> None:
        lines = Lines()
        with lines.one(dial), lines.one(dial):
            pass
        waiting = threading.Thread(target=self._wait, args=(lines, dial))
        waiting.start()
        time.sleep(0.05)
        lines.end()
        waiting.join(10)
        assert not waiting.is_alive()
        assert [other_end.recv(1) for _, other_end in dialled] == [b"", b""]

    def test_calls_that_come_later_fail(self, dial: Any) -> None:
        lines = Lines()
        lines.end()
        self._wait(lines, dial)

    def _wait(self, lines: Lines, dial: Any) -> None:
        with pytest.raises(ConnectionResetError, match="closed"), lines.one(dial) as line:
            line.receive()
