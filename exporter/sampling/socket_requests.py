"""Sockets of network namespaces for other threads than the one that samples.

That thread alone may ask the broker and use what is open in a namespace. A dump that somebody else waits for
takes as long as it takes, so it gets a socket of its own: the sampling thread opens it, which takes a
fraction of a millisecond, and hands it over.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from concurrent.futures import Future
from types import TracebackType
from typing import Final, Self

from exporter.kernel.errors import KernelError
from exporter.kernel.sock_diag.diag_socket import DiagSockets

# A tick of the sampling thread takes less, and a broker that hangs half a second.
_WAIT_SECONDS: Final = 2.0

_Request = tuple[DiagSockets, Future[socket.socket]]


class SocketRequests:
    """Sockets that were asked for. The sampling thread calls `serve`, any thread `open`."""

    def __init__(self) -> None:
        """Nothing is asked for yet. Raises OSError."""
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        self._asked: deque[_Request] = deque()
        self._server: int | None = None

    def fileno(self) -> int:
        """Return a descriptor that is readable while `serve` has something to do."""
        return self._event

    def open(self, sockets: DiagSockets) -> socket.socket:
        """Return a sock_diag socket of a namespace, for the caller to close. Raises KernelError.

        It is opened at once in the thread that samples; any other waits for that one.
        """
        request: Future[socket.socket] = Future()
        with self._lock:
            self._asked.append((sockets, request))
            os.eventfd_write(self._event, 1)
        if threading.get_ident() == self._server:
            self.serve()
        try:
            return request.result(_WAIT_SECONDS)
        except TimeoutError:
            if not request.cancel():
                # It is being opened just now.
                return request.result()
            raise KernelError("cannot open a sock_diag socket: samples are late", "late") from None

    def serve(self) -> None:
        """Open what was asked for; to be called in each tick."""
        self._server = threading.get_ident()
        # What is added just now has made the descriptor readable.
        if not self._asked:
            return
        with self._lock:
            os.eventfd_read(self._event)
            asked, self._asked = self._asked, deque()
        for sockets, request in asked:
            if not request.set_running_or_notify_cancel():
                continue
            try:
                # It is not given back: who keeps sockets opens another one for the next dump.
                request.set_result(sockets.acquire())
            except KernelError as error:
                request.set_exception(error)

    def __del__(self) -> None:
        """Close the descriptor."""
        os.close(self._event)


class RequestedSockets(DiagSockets):
    """Opens what dumps in this thread need by way of the sampling thread, and closes it at the end."""

    def __init__(self, requests: SocketRequests, sockets: DiagSockets) -> None:
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
        return idle or self._requests.open(self._sockets)

    def release(self, channel: socket.socket) -> None:
        """Keep the socket for the next dump."""
        self._idle = channel
