"""Sockets of the sock_diag interface, which receive from the kernel and from nobody else.

Source: net/netlink/af_netlink.c, include/uapi/linux/netlink.h.
"""

from __future__ import annotations

import errno
import socket
import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from exporter.kernel.errors import from_os_error

NETLINK_SOCK_DIAG: Final = 4
# A dump of which nothing arrives for this long fails, so that SIGTERM does not have to wait.
_TIMEOUT: Final = struct.pack("@ll", 1, 0)


@dataclass(slots=True)
class ForeignDatagrams:
    """How many datagrams of others than the kernel have come into the sockets of a namespace."""

    count: int = 0

    def add(self) -> None:
        """Count one more."""
        self.count += 1


class DiagSockets(ABC):
    """Where dumps get their sockets, of one network namespace."""

    @abstractmethod
    def acquire(self) -> socket.socket:
        """Return a socket that has no dump under way. Raises KernelError."""

    @abstractmethod
    def release(self, channel: socket.socket) -> None:
        """Take a socket back whose dump has been read to its end."""

    def borrow(self) -> BorrowedSocket:
        """Return a context manager that acquires a socket and releases it. Raises KernelError."""
        return BorrowedSocket(self)


class BorrowedSocket:
    """A socket for one dump. After an error, or a dump that was not read to its end, it is closed.

    This is no generator with contextlib, which would take longer than a system call.
    """

    __slots__ = ("_channel", "_sockets")

    def __init__(self, sockets: DiagSockets) -> None:
        self._sockets = sockets
        self._channel = sockets.acquire()

    def __enter__(self) -> socket.socket:
        return self._channel

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._sockets.release(self._channel)
        else:
            self._channel.close()


def open_socket(foreign_datagrams: ForeignDatagrams) -> socket.socket:
    """Open a sock_diag socket in the network namespace of the caller. Raises KernelError."""
    try:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
    except OSError as error:
        raise from_os_error("cannot open a sock_diag socket", error) from error
    try:
        accept_kernel_only(opened, foreign_datagrams)
    except OSError as error:
        opened.close()
        raise from_os_error("cannot set up a sock_diag socket", error) from error
    return opened


def accept_kernel_only(channel: socket.socket, foreign_datagrams: ForeignDatagrams) -> None:
    """Connect a socket to the kernel, and drop and count the datagrams that others had sent before.

    Anyone with CAP_NET_ADMIN over a namespace may send datagrams to the sockets in it, until they
    are connected (netlink_getsockbyportid, net/netlink/af_netlink.c). Raises OSError.
    """
    channel.connect((0, 0))
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT)
    while True:
        try:
            channel.recv(1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            # The receive buffer was full, and datagrams were lost.
            if error.errno != errno.ENOBUFS:
                raise
        foreign_datagrams.add()
