"""A process that holds sockets open, and changes accept queues when it is told to."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

FIRST_PORT: Final = 11_000
_BACKLOG: Final = 128
_CLOSED_PORT: Final = 1
# close() then resets the connection, so that nothing is left in TIME_WAIT.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class SocketCounts:
    """The sockets of one process; a pair is both ends of a connection."""

    listeners: int = 0
    ipv6_every: int = 0
    unix_listeners: int = 0
    unix_pairs: int = 0
    pairs: int = 0


def listen(counts: SocketCounts) -> list[socket.socket]:
    """Open the TCP listeners, on consecutive ports."""
    opened = []
    for index in range(counts.listeners):
        port = FIRST_PORT + index
        if counts.ipv6_every and index % counts.ipv6_every == 0:
            opened.append(socket.create_server(("::", port), family=socket.AF_INET6, backlog=_BACKLOG))
        else:
            opened.append(socket.create_server(("", port), backlog=_BACKLOG))
    return opened


def listen_unix(count: int) -> list[socket.socket]:
    """Open unix listeners, under abstract names."""
    opened = []
    for index in range(count):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"\0bench-{index}")
        listener.listen(_BACKLOG)
        opened.append(listener)
    return opened


def serve(counts: SocketCounts, listeners: list[socket.socket], commands: Connection) -> None:
    """Open the sockets, then change as many accept queues as each command says. Each step sends None."""
    opened = _Sockets(counts, listeners)
    commands.send(None)
    with contextlib.suppress(EOFError):
        while True:
            opened.change(commands.recv())
            commands.send(None)


class _Sockets:
    """The sockets of one process."""

    def __init__(self, counts: SocketCounts, listeners: list[socket.socket]) -> None:
        self._listeners = listeners
        self._waiting: list[tuple[socket.socket, socket.socket]] = []
        self._open = listen_unix(counts.unix_listeners)
        for _ in range(counts.unix_pairs):
            self._open += socket.socketpair()
        for index in range(counts.pairs):
            listener = listeners[index % len(listeners)]
            self._open.append(_client(listener))
            self._open.append(listener.accept()[0])

    def change(self, count: int) -> None:
        """Put one connection into `count` accept queues, evenly spread, or accept those again."""
        if self._waiting:
            for listener, client in self._waiting:
                for end in (listener.accept()[0], client):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                    end.close()
            self._waiting = []
            return
        step = max(1, len(self._listeners) // count)
        self._waiting = [(listener, _client(listener)) for listener in self._listeners[::step][:count]]


def connect_once(listeners: list[socket.socket], seconds: float) -> None:
    """Have one connection at each listener, one after the other in so many seconds; clients close first."""
    for listener in listeners:
        with _client(listener), listener.accept()[0]:
            pass
        time.sleep(seconds / len(listeners))


def receive_segments() -> None:
    """Connect to a closed port: the namespace receives two segments, and no socket is left."""
    with socket.socket() as client, contextlib.suppress(ConnectionRefusedError):
        client.connect(("127.0.0.1", _CLOSED_PORT))


def _client(listener: socket.socket) -> socket.socket:
    client = socket.socket(listener.family)
    host = "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"
    client.connect((host, listener.getsockname()[1]))
    return client
