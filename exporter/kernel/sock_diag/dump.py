"""One dump over a netlink socket: a request goes out, checked datagrams come back.

Source: net/netlink/af_netlink.c, include/uapi/linux/netlink.h and net/core/sock_diag.c.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from exporter.kernel.errors import ForeignDatagramError, MalformedReplyError, from_errno

NETLINK_SOCK_DIAG = 4
NLMSG_ERROR = 2
NLMSG_DONE = 3
HEADER_BYTES = 16

# The kernel fills at most 32 KiB a datagram (netlink_dump); twice that leaves no room for doubt.
_RECEIVE_BYTES = 65536
# A dump that says nothing for this long is given up, so that SIGTERM is never kept waiting.
_TIMEOUT = struct.pack("@ll", 1, 0)
_HEADER = struct.Struct("=IHHII")
_TAIL = struct.Struct("=IHHIIi")
_SEQUENCE = struct.Struct("=8xI")

# Whoever opens the channel decides whether leaving it closes it.
Connect = Callable[[], AbstractContextManager[socket.socket]]


@dataclass(slots=True)
class ForeignDatagrams:
    """How many datagrams somebody else than the kernel got into our sockets."""

    datagrams: int = 0


def connect(foreign_datagrams: ForeignDatagrams | None = None) -> socket.socket:
    """Open a sock_diag socket in the caller's network namespace that hears the kernel only.

    Raises UnavailableError or KernelError.
    """
    try:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
    except OSError as error:
        raise from_errno("cannot open a sock_diag socket", error.errno or 0) from error
    try:
        accept_kernel_only(opened, foreign_datagrams or ForeignDatagrams())
    except OSError as error:
        opened.close()
        raise from_errno("cannot set up a sock_diag socket", error.errno or 0) from error
    return opened


def accept_kernel_only(channel: socket.socket, foreign_datagrams: ForeignDatagrams) -> None:
    """Make a socket deaf to everyone but the kernel, and count what others had sent by then.

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
            # So many came that the receive buffer was full.
            if error.errno != errno.ENOBUFS:
                raise
        foreign_datagrams.datagrams += 1


def dump(request: bytes, connect: Connect = connect) -> Generator[bytes, None, None]:
    """Send `request` (one encoded message with NLM_F_DUMP) and yield the datagrams of its reply.

    Each datagram holds whole messages; the closing NLMSG_DONE is taken off. An error that the
    kernel puts into NLMSG_ERROR, or into the payload of NLMSG_DONE, is raised: an empty reply is
    an empty reply only where the kernel says that it succeeded. The channel is always left, also
    when the caller stops half-way, since an abandoned dump would leave it busy. Who stops because
    of an error closes the dump: the error holds on to its frames, and a frame to the dump.

    Raises UnavailableError, KernelError, MalformedReplyError or ForeignDatagramError.
    """
    (sequence,) = _SEQUENCE.unpack_from(request)
    with connect() as channel:
        try:
            channel.send(request)
            finished = False
            while not finished:
                datagram, (sender, _) = channel.recvfrom(_RECEIVE_BYTES)
                if sender != 0:
                    raise ForeignDatagramError(sender)
                datagram, finished = _check(datagram, sequence)
                if datagram:
                    yield datagram
        except OSError as error:
            raise from_errno("sock_diag dump", error.errno or 0) from error


def _check(datagram: bytes, sequence: int) -> tuple[bytes, bool]:
    """Take the closing NLMSG_DONE off a datagram, and say whether it was there."""
    if len(datagram) < _TAIL.size:
        raise MalformedReplyError(f"netlink datagram of {len(datagram)} bytes")
    _, kind, _, answered, _ = _HEADER.unpack_from(datagram)
    if answered != sequence:
        raise MalformedReplyError(f"netlink reply to request {answered}, expected {sequence}")
    if kind == NLMSG_ERROR:
        raise from_errno("sock_diag refused the request", -_TAIL.unpack_from(datagram)[-1])
    length, kind, _, answered, _, status = _TAIL.unpack_from(datagram, len(datagram) - _TAIL.size)
    if kind != NLMSG_DONE or length != _TAIL.size or answered != sequence:
        return datagram, False
    if status < 0:
        raise from_errno("sock_diag dump failed", -status)
    return datagram[: -_TAIL.size], True
