"""Clients who wait in the queue of one listener."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import pytest

from testbed.waiting import until
from tests.e2e.services.service import Listener, Service
from tests.integration import reference

_TIMEOUT_SECONDS = 20.0


class Crowd:
    """Clients of a listener who have said what clients say first, and wait for the answer."""

    def __init__(self, service: Service, listener: Listener | None = None) -> None:
        self._listener = listener or service.listener
        self._first = service.dialogue[0]
        self._clients: list[socket.socket] = []
        self._outside: list[socket.socket] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def join(self, count: int) -> None:
        """Connect so many clients more; there must be room for them."""
        for _ in range(count):
            client = self._dial()
            client.settimeout(_TIMEOUT_SECONDS)
            try:
                client.connect(self._listener.target)
            except OSError as refused:
                pytest.fail(f"client {len(self._clients) + 1} at {self._listener.place}: {refused}")
            client.sendall(self._first.request)
            self._clients.append(client)

    def fill(self) -> float:
        """Connect as many as fit, and return when `ss` was asked that showed the queue full, in Unix time."""
        self.join(self._listener.backlog + 1)
        asked, _ = until(
            lambda: (time.time(), self.waiting()), lambda seen: seen[1] == self._listener.backlog + 1
        )
        return asked

    def knock(self) -> int:
        """Begin to connect one client more, and return the errno: by TCP, who finds no room tries again."""
        client = self._dial()
        client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
        self._outside.append(client)
        return client.connect_ex(self._listener.target)

    def let_in(self) -> None:
        """Have those say what clients say first who found room meanwhile; who gave up is forgotten."""
        outside, self._outside = self._outside, []
        for client in outside:
            try:
                client.send(self._first.request)
            except BlockingIOError:
                self._outside.append(client)
            except TimeoutError:
                client.close()
            else:
                self._clients.append(client)

    def waiting(self) -> float:
        """How many wait for accept, as `ss` sees it."""
        return reference.from_ss()[self._listener.place].length

    def is_answered(self) -> bool:
        """Whether every client who waited gets the right answer; each hangs up then, for the next."""
        for client in self._clients:
            with client:
                if not self._first.is_answered(client):
                    return False
        self._clients.clear()
        return True

    def _dial(self) -> socket.socket:
        return self._stack.enter_context(self._listener.dial())
