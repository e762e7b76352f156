"""A process that holds sockets for others to look at, and changes them when it is told to."""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass
from multiprocessing.connection import Connection

FIRST_PORT = 11_000
_BACKLOG = 128
_CLOSED_PORT = 1
# close() then resets the connection, so that nothing is left in TIME_WAIT.
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Share:
    """What one process holds; pairs are both ends of connections."""

    listeners: int = 0
    ipv6_every: int = 0
    unix_listeners: int = 0
    unix_pairs: int = 0
    pairs: int = 0


def listen(share: Share) -> list[socket.socket]:
    """Open the TCP listeners of a share, on neighbouring ports."""
    opened = []
    for index in range(share.listeners):
        port = FIRST_PORT + index
        if share.ipv6_every and index % share.ipv6_every == 0:
            opened.append(socket.create_server(("::", port), family=socket.AF_INET6, backlog=_BACKLOG))
        else:
            opened.append(socket.create_server(("", port), backlog=_BACKLOG))
    return opened


def hold(share: Share, listeners: list[socket.socket], orders: Connection) -> None:
    """Open a share's sockets, say so with None, and change as many queues as each order says."""
    held = _Held(share, listeners)
    orders.send(None)
    with contextlib.suppress(EOFError):
        while True:
            held.change(orders.recv())
            orders.send(None)


class _Held:
    """The sockets of one process."""

    def __init__(self, share: Share, listeners: list[socket.socket]) -> None:
        self._listeners = listeners
        self._waiting: list[tuple[socket.socket, socket.socket]] = []
        self._kept: list[socket.socket] = []
        for index in range(share.unix_listeners):
            opened = socket.socket(socket.AF_UNIX)
            opened.bind(f"\0bench-{index}")
            opened.listen(_BACKLOG)
            self._kept.append(opened)
        for _ in range(share.unix_pairs):
            self._kept += socket.socketpair()
        for index in range(share.pairs):
            listener = listeners[index % len(listeners)]
            self._kept.append(_client(listener))
            self._kept.append(listener.accept()[0])

    def change(self, count: int) -> None:
        """Put one connection into `count` queues spread over all, or take those out again."""
        if self._waiting:
            for listener, client in self._waiting:
                for end in (listener.accept()[0], client):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                    end.close()
            self._waiting = []
            return
        step = max(1, len(self._listeners) // count)
        self._waiting = [(listener, _client(listener)) for listener in self._listeners[::step][:count]]


def poke() -> None:
    """Be refused: two segments come in, and no socket is left behind."""
    with socket.socket() as client, contextlib.suppress(ConnectionRefusedError):
        client.connect(("127.0.0.1", _CLOSED_PORT))


def _client(listener: socket.socket) -> socket.socket:
    client = socket.socket(listener.family)
    host = "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"
    client.connect((host, listener.getsockname()[1]))
    return client
