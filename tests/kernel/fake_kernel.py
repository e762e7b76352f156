"""A kernel that says what it is told to: it stands in for the netlink socket that a dump opens."""

from __future__ import annotations

import errno
import os
import socket
from types import TracebackType
from typing import Self, cast

KERNEL = 0


class FakeKernel:
    """Answers each dump with the same datagrams; `connect` is what `dump` takes.

    An OSError among the datagrams is raised where it stands. After the last one there is silence, and
    the receive timeout ends it. `port` is what the socket's own address will be and `sender` who sends,
    0 being the kernel.
    """

    def __init__(self, *datagrams: bytes | OSError, port: int = 4711, sender: int = KERNEL) -> None:
        self.datagrams = datagrams
        self.port = port
        self.sender = sender
        self.requests: list[bytes] = []
        self.sockets: list[FakeSocket] = []

    def connect(self) -> socket.socket:
        """Open one more socket."""
        self.sockets.append(FakeSocket(self))
        return cast("socket.socket", self.sockets[-1])

    def all_closed(self) -> bool:
        """Whether every socket was closed, and there was one."""
        return bool(self.sockets) and all(opened.closed for opened in self.sockets)


class FakeSocket:
    """The part of a socket that a dump needs."""

    def __init__(self, kernel: FakeKernel) -> None:
        self._kernel = kernel
        self._replies = iter(kernel.datagrams)
        self.closed = False
        self.received = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True

    def send(self, request: bytes) -> int:
        """Note the request."""
        self._refuse_if_closed()
        self._kernel.requests.append(request)
        return len(request)

    def getsockname(self) -> tuple[int, int]:
        """The port id, and no multicast groups."""
        self._refuse_if_closed()
        return self._kernel.port, 0

    def recvfrom(self, size: int) -> tuple[bytes, tuple[int, int]]:
        """The next datagram, cut off where the buffer ends as the kernel does it."""
        self._refuse_if_closed()
        reply = next(self._replies, None)
        self.received += 1
        if reply is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        if isinstance(reply, OSError):
            raise reply
        return reply[:size], (self._kernel.sender, 0)

    def _refuse_if_closed(self) -> None:
        if self.closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
