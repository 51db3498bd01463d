"""Connections to workers whose threads wait for each other themselves.

Dask makes a connection, with the certificates that the cluster has and on the port that the worker
has open anyway; then both ends take it from their event loops. A call now wakes one thread there
and one here: the loops took longer over it than a short pass takes.
"""

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pickle import PickleBuffer
from threading import Lock
from typing import Any

import numpy as np

Piece = bytes | memoryview | PickleBuffer

#: Messages up to this size are copied together, and so are sent at once.
SMALL_BYTES = 1 << 16


class Line:
    """A connection that one thread at a time has to itself; a message is a list of buffers.

    Parameters
    ----------
    taken : socket.socket or ssl.SSLSocket
        Waits for what it sends and receives.
    """

    def __init__(self, taken: socket.socket) -> None:
        self._socket = taken

    @classmethod
    def taken_from(cls, comm: Any) -> "Line":
        """The connection of a `distributed.comm.tcp.TCP`, which is closed without it.

        To be called on the thread of its event loop, while nothing is on its way to here.
        """
        stream = comm.stream
        taken = stream.socket
        stream.io_loop.remove_handler(taken)
        # This is what the stream closes.
        stream.socket = socket.socket()
        comm.abort()
        taken.settimeout(None)
        return cls(taken)

    def send(self, message: Sequence[Piece]) -> None:
        buffers = [PickleBuffer(part).raw() for part in message]
        lengths = [buffer.nbytes for buffer in buffers]
        head = struct.pack(f"<{1 + len(lengths)}Q", len(lengths), *lengths)
        if sum(lengths) <= SMALL_BYTES:
            self._socket.sendall(b"".join([head, *buffers]))
        else:
            self._socket.sendall(head)
            for buffer in buffers:
                self._socket.sendall(buffer)

    def receive(self) -> list[memoryview]:
        """The next message; the memory is its own.

        Raises
        ------
        OSError
            The connection has ended.
        """
        (n_buffers,) = struct.unpack("<Q", self._exactly(8))
        lengths = struct.unpack(f"<{n_buffers}Q", self._exactly(8 * n_buffers))
        return [self._exactly(length) for length in lengths]

    def greet(self) -> None:
        """Tell the other end that this one may be spoken to: before, Dask would have listened."""
        self.send([])

    def await_greeting(self, timeout_seconds: float) -> None:
        """Wait until the other end has taken the connection, too.

        Raises
        ------
        OSError
            It has not: Dask answers, or nobody does.
        """
        self._socket.settimeout(timeout_seconds)
        if any(self._exactly(8)):
            raise ConnectionError("Dask has kept the connection.")
        self._socket.settimeout(None)

    def end(self) -> None:
        """Let no thread wait any longer. May be called by another one than has the line."""
        with suppress(OSError):
            # That of ssl would have the waiting thread go on in plain text.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, n_bytes: int) -> memoryview:
        # Not a bytearray: it would be filled with zeros first.
        view = np.empty(n_bytes, np.uint8).data
        filled = 0
        while filled < n_bytes:
            n_read = self._socket.recv_into(view[filled:])
            if not n_read:
                raise ConnectionResetError("The other end has closed the connection.")
            filled += n_read
        return view


class Lines:
    """The lines to one worker, each taken by one call at a time."""

    def __init__(self) -> None:
        self._idle: list[Line] = []
        self._taken: set[Line] = set()
        self._is_ended = False
        self._lock = Lock()

    @contextmanager
    def one(self, dial: Callable[[], Line]) -> Iterator[Line]:
        """A line for a call: one that is idle or a new one. None that has failed is kept."""
        with self._lock:
            line = self._idle.pop() if self._idle else None
        line = line or dial()
        self._take(line)
        try:
            yield line
        except BaseException:
            self._give_back(line, is_usable=False)
            raise
        self._give_back(line)

    def end(self) -> None:
        """Let all calls fail, those to come too."""
        with self._lock:
            self._is_ended = True
            for line in self._taken:
                line.end()
            while self._idle:
                self._idle.pop().close()

    def _take(self, line: Line) -> None:
        with self._lock:
            self._taken.add(line)
            if self._is_ended:
                line.end()

    def _give_back(self, line: Line, is_usable: bool = True) -> None:
        with self._lock:
            self._taken.remove(line)
            if is_usable and not self._is_ended:
                self._idle.append(line)
            else:
                line.close()
