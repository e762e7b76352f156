"""Sockets of a server, each use of which takes a fixed processor time in virtual time."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from tests.web.virtual_time import VirtualClock

# About what they take on a small machine, with what the server does around them: it makes an object of each
# client, and parses what it receives.
ACCEPT_SECONDS = 20e-6
RECEIVE_SECONDS = 30e-6
RECEIVED_BYTE_SECONDS = 2e-7
SEND_SECONDS = 100e-6
CLOSE_SECONDS = 30e-6


class PricedSocket(socket.socket):
    """A socket that takes the descriptor of another, and counts the processor time of its use."""

    def __init__(self, taken: socket.socket, clock: VirtualClock) -> None:
        timeout = taken.gettimeout()
        super().__init__(fileno=taken.detach())
        self.settimeout(timeout)
        self._clock = clock

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a client, or find that there is none."""
        self._clock.work(ACCEPT_SECONDS)
        accepted, address = super().accept()
        return PricedSocket(accepted, self._clock), address

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive, and do what depends on how much it was."""
        self._clock.work(RECEIVE_SECONDS)
        data = super().recv(bufsize, flags)
        self._clock.work(RECEIVED_BYTE_SECONDS * len(data))
        return data

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send a response, whatever its size."""
        self._clock.work(SEND_SECONDS)
        return super().send(data, flags)

    def sendmsg(
        self, buffers: Iterable[Any], ancdata: Iterable[Any] = (), flags: int = 0, address: Any = None, /
    ) -> int:
        """Send the parts of a response."""
        self._clock.work(SEND_SECONDS)
        return super().sendmsg(buffers, ancdata, flags, address)

    def close(self) -> None:
        """Close it."""
        self._clock.work(CLOSE_SECONDS)
        super().close()
