"""What loads the exporter, each kind in a process of its own: `python -m tests.soak.load KIND`.

All of it stays the same for as long as it runs, so that whatever grows is a fault.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from bench.workloads.containers import Containers
from testbed import syscalls
from tests.soak.ports import BUSY_PORTS, CHURNED_PORTS, EXPORTER_PORT, STEADY_PORTS

_SECONDS_OF_A_NAMESPACE: Final = 30.0
_NAMESPACES: Final = 6
_CLIENTS: Final = 40
_CLIENT_SECONDS: Final = 8.0
# As they arrive from clients that speak something else, or not to the end.
_FRAGMENTS: Final = (
    b"",
    b"G",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: " + b"a" * 8000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\nx",
)
_PAGES_UNREAD: Final = 4


def connections() -> None:
    """Connect to listeners that accept now and then, and close."""
    listeners = [socket.create_server(("127.0.0.1", port), backlog=64) for port in BUSY_PORTS]
    for listener in listeners:
        listener.settimeout(0)
    for number in itertools.count():
        listener = listeners[number % len(listeners)]
        clients = [_connect(listener.getsockname()[1]) for _ in range(8)]
        time.sleep(0.05)
        with contextlib.suppress(BlockingIOError):
            while True:
                listener.accept()[0].close()
        for client in clients:
            client.close()


def listeners() -> None:
    """Open listeners on random ports, and close them again."""
    chance = random.Random()
    opened: deque[socket.socket] = deque()
    while True:
        # A port that was listened on a moment ago may still be taken.
        with contextlib.suppress(OSError):
            opened.append(socket.create_server(("127.0.0.1", chance.choice(CHURNED_PORTS)), backlog=16))
        if len(opened) > len(CHURNED_PORTS) // 2:
            opened.popleft().close()
        time.sleep(0.02)


def queues() -> None:
    """Let clients wait in the queues of listeners, as many for half a minute, and then others."""
    opened = [
        socket.create_server(("127.0.0.1", port), backlog=number * 3)
        for number, port in enumerate(STEADY_PORTS)
    ]
    for round_number in itertools.count():
        waiting = [
            _connect(listener.getsockname()[1])
            for number, listener in enumerate(opened)
            for _ in range((number * 3 + round_number * 5) % (number * 3 + 2))
        ]
        time.sleep(30)
        for listener in opened:
            listener.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()
        for client in waiting:
            client.close()


def namespaces() -> None:
    """Make network namespaces as containers have them, and kill the oldest."""
    with Containers() as containers:
        while True:
            containers.make()
            if len(containers.running) > _NAMESPACES:
                containers.kill(containers.running[0])
            time.sleep(_SECONDS_OF_A_NAMESPACE / _NAMESPACES)


def clients() -> None:
    """Connect to the exporter and be idle, send parts of requests, or never read the answer."""
    opened: deque[tuple[float, socket.socket]] = deque()
    for number in itertools.count():
        while opened and (len(opened) >= _CLIENTS or opened[0][0] < time.monotonic()):
            opened.popleft()[1].close()
        # A server that refuses them is right as well.
        with contextlib.suppress(OSError):
            client = _connect(EXPORTER_PORT)
            opened.append((time.monotonic() + _CLIENT_SECONDS, client))
            if number % 3:
                client.sendall(_FRAGMENTS[number % len(_FRAGMENTS)])
            else:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * _PAGES_UNREAD)
        time.sleep(0.1)


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


KINDS: Final[dict[str, Callable[[], None]]] = {
    kind.__name__: kind for kind in (connections, listeners, queues, namespaces, clients)
}

if __name__ == "__main__":
    syscalls.die_with_parent()
    KINDS[sys.argv[1]]()
