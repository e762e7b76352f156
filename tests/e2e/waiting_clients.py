"""Clients that wait in the accept queue of a listener."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import pytest

from testbed.waiting import DEADLINE_SECONDS, until
from tests.e2e.services.service import Listener, Service
from tests.integration import reference

# struct linger: on, for no seconds.
_RESET_AT_CLOSE = struct.pack("@ii", 1, 0)


class WaitingClients:
    """Clients of a listener that have sent their first request and wait for the reply."""

    def __init__(self, service: Service, listener: Listener | None = None) -> None:
        self._listener = listener or service.listener
        self._first = service.exchanges[0]
        self._connected: list[socket.socket] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def connect(self, count: int) -> None:
        """Connect so many more; they must fit into the queue."""
        for _ in range(count):
            client = self._new_socket()
            client.settimeout(DEADLINE_SECONDS)
            try:
                client.connect(self._listener.address)
            except OSError as refused:
                pytest.fail(f"client {len(self._connected) + 1} of {self._listener.endpoint}: {refused}")
            client.sendall(self._first.request)
            self._connected.append(client)

    def fill(self) -> float:
        """Connect as many as the queue admits; returns a Unix time at which `ss` showed it full."""
        self.connect(self._listener.backlog + 1)
        asked, _ = until(
            lambda: (time.time(), self.length()), lambda seen: seen[1] == self._listener.backlog + 1
        )
        return asked

    def try_to_connect(self) -> int:
        """Begin to connect one more and return the errno; TCP tries again where the queue is full."""
        client = self._new_socket()
        client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
        return client.connect_ex(self._listener.address)

    def reset(self) -> None:
        """End every connection of a TCP listener with RST; all stay in the queue, and no dump shows them."""
        for client in self._connected:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            client.close()
        self._connected.clear()

    def length(self) -> int:
        """How many connections are in the accept queue, as `ss` shows it."""
        return int(reference.from_ss()[self._listener.endpoint].length)

    def receive_replies(self) -> bool:
        """Whether every client that waited gets the right reply; each closes its connection then."""
        for client in self._connected:
            with client:
                if not self._first.receives_reply(client):
                    return False
        self._connected.clear()
        return True

    def _new_socket(self) -> socket.socket:
        return self._stack.enter_context(self._listener.new_socket())
