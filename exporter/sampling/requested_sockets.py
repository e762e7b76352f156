"""Sockets of network namespaces for other threads than the one that samples.

That thread alone may ask the broker and use what is open in a namespace. A dump that somebody else waits for
takes as long as it takes, so it gets a socket of its own: the sampling thread opens it, which takes a
fraction of a millisecond, and hands it over.
"""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Final, Self

from exporter.kernel.errors import KernelError
from exporter.kernel.sock_diag.diag_socket import DiagSockets
from exporter.sampling.thread_requests import ThreadRequests

# A tick of the sampling thread takes less, and a broker that hangs half a second.
_WAIT_SECONDS: Final = 2.0


class RequestedSockets(DiagSockets):
    """Opens what dumps in this thread need by way of the sampling thread, and closes it at the end."""

    def __init__(self, requests: ThreadRequests, sockets: DiagSockets) -> None:
        """Open nothing yet; `sockets` are those of the namespace, which the sampling thread uses."""
        self._requests = requests
        self._sockets = sockets
        self._idle: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._idle is not None:
            self._idle.close()

    def acquire(self) -> socket.socket:
        """Return the socket of the dump before, or a new one. Raises KernelError."""
        idle, self._idle = self._idle, None
        if idle is not None:
            return idle
        try:
            # It is not given back: who keeps sockets opens another one for the next dump.
            return self._requests.call(self._sockets.acquire, _WAIT_SECONDS)
        except TimeoutError:
            raise KernelError("cannot open a sock_diag socket: samples are late", "late") from None

    def release(self, channel: socket.socket) -> None:
        """Keep the socket for the next dump."""
        self._idle = channel
