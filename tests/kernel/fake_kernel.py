"""A kernel that replies what a test tells it, in the place of sock_diag sockets and of /proc.

`FakeKernel` is a DiagSockets: hand it to `dump`, to a reader or to a Namespace. Its sockets check what the
code under test does with them: a socket that was closed fails like a real one, and `all_closed` tells whether
any was left open. `FakeFiles` is a ProcfsFiles with the contents that a test gives.

    kernel = FakeKernel(tcp_row(1), done())
    files = FakeFiles({"net/tcp": b"..."})
    namespace = Namespace("test", kernel, files)
"""

from __future__ import annotations

import errno
import os
import socket
from collections import Counter
from typing import cast

from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.sock_diag.diag_socket import DiagSockets

KERNEL = 0


class FakeKernel(DiagSockets):
    """Answers each dump with the same datagrams, over a socket of its own.

    An OSError among the datagrams is raised in its turn. After the last one nothing comes, and the receive
    timeout ends the dump. `following` has those of the next dumps, where they differ. `sender` is the
    netlink port that the datagrams come from, 0 being the kernel. `requests` has what was sent, `sockets`
    every socket that was opened.
    """

    def __init__(self, *datagrams: bytes | OSError, sender: int = KERNEL) -> None:
        self.datagrams = datagrams
        self.following: list[tuple[bytes | OSError, ...]] = []
        self.sender = sender
        self.requests: list[bytes] = []
        self.sockets: list[FakeSocket] = []

    def acquire(self) -> socket.socket:
        """Open one more socket."""
        if self.following:
            self.datagrams = self.following.pop(0)
        self.sockets.append(FakeSocket(self))
        return cast("socket.socket", self.sockets[-1])

    def release(self, channel: socket.socket) -> None:
        """Close the socket."""
        channel.close()

    def all_closed(self) -> bool:
        """Tell whether every socket was closed, and there was one."""
        return bool(self.sockets) and all(opened.closed for opened in self.sockets)


class FakeSocket:
    """The part of a socket that a dump uses."""

    def __init__(self, kernel: FakeKernel) -> None:
        self._kernel = kernel
        self._replies = iter(kernel.datagrams)
        self.closed = False
        self.received = 0

    def close(self) -> None:
        """Close it; a second time is no error."""
        self.closed = True

    def send(self, request: bytes) -> int:
        """Note the request."""
        self._refuse_if_closed()
        self._kernel.requests.append(request)
        return len(request)

    def recvfrom(self, size: int) -> tuple[bytes, tuple[int, int]]:
        """Return the next datagram, cut off where the buffer ends as the kernel does it."""
        self._refuse_if_closed()
        reply = next(self._replies, None)
        self.received += 1
        if reply is None:
            raise _os_error(errno.EAGAIN)
        if isinstance(reply, OSError):
            raise reply
        return reply[:size], (self._kernel.sender, 0)

    def _refuse_if_closed(self) -> None:
        if self.closed:
            raise _os_error(errno.EBADF)


class FakeFiles(ProcfsFiles):
    """Files by their path below /proc; a file that is an error is refused with it, others are missing.

    `opened` counts how often each was opened.
    """

    def __init__(self, contents: dict[str, bytes | Exception] | None = None) -> None:
        self.contents = contents or {}
        self.opened: Counter[str] = Counter()

    def open(self, name: str) -> int:
        """Return a descriptor at the begin of the content."""
        self.opened[name] += 1
        content = self.contents.get(name, _os_error(errno.ENOENT))
        if isinstance(content, Exception):
            raise content
        descriptor = os.memfd_create(name.replace("/", "-"))
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
