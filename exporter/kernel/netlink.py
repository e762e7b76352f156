"""One dump over a netlink socket: a request goes out, checked datagrams come back.

Source: net/netlink/af_netlink.c, include/uapi/linux/netlink.h and net/core/sock_diag.c.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager

from exporter.kernel.errors import ForgedReplyError, MalformedReplyError, from_errno

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
_ATTRIBUTE = struct.Struct("=HH")
_TYPE_MASK = 0x3FFF
_LENGTH = struct.Struct("=I")
_SEQUENCE = struct.Struct("=8xI")

# Whoever opens the channel decides whether leaving it closes it.
Connect = Callable[[], AbstractContextManager[socket.socket]]


def connect() -> socket.socket:
    """Open a sock_diag socket in the caller's network namespace that hears the kernel only.

    Without connect() anyone with CAP_NET_ADMIN over the namespace may send it datagrams.
    """
    try:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
    except OSError as error:
        raise from_errno("cannot open a sock_diag socket", error.errno or 0) from error
    try:
        opened.connect((0, 0))
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT)
    except OSError as error:
        opened.close()
        raise from_errno("cannot set up a sock_diag socket", error.errno or 0) from error
    return opened


def dump(request: bytes, connect: Connect = connect) -> Generator[bytes, None, None]:
    """Send `request` (one encoded message with NLM_F_DUMP) and yield the datagrams of its reply.

    Each datagram holds whole messages; the closing NLMSG_DONE is taken off. An error that the
    kernel puts into NLMSG_ERROR, or into the payload of NLMSG_DONE, is raised: an empty reply is
    an empty reply only where the kernel says that it succeeded. The channel is always left, also
    when the caller stops half-way, since an abandoned dump would leave it busy. Who stops because
    of an error closes the dump: the error holds on to its frames, and a frame to the dump.

    Raises UnavailableError, KernelError, MalformedReplyError or ForgedReplyError.
    """
    (sequence,) = _SEQUENCE.unpack_from(request)
    with connect() as channel:
        try:
            channel.send(request)
            port = channel.getsockname()[0]
            finished = False
            while not finished:
                datagram, (sender, _) = channel.recvfrom(_RECEIVE_BYTES)
                if sender != 0:
                    raise ForgedReplyError(sender)
                datagram, finished = _check(datagram, sequence, port)
                if datagram:
                    yield datagram
        except OSError as error:
            raise from_errno("sock_diag dump", error.errno or 0) from error


def _check(datagram: bytes, sequence: int, port: int) -> tuple[bytes, bool]:
    """Take the closing NLMSG_DONE off a datagram, and say whether it was there."""
    if len(datagram) < _TAIL.size:
        raise MalformedReplyError(f"netlink datagram of {len(datagram)} bytes")
    _, kind, _, *addressed = _HEADER.unpack_from(datagram)
    if addressed != [sequence, port]:
        raise MalformedReplyError(f"netlink reply to {addressed}, expected [{sequence}, {port}]")
    if kind == NLMSG_ERROR:
        raise from_errno("sock_diag refused the request", -_TAIL.unpack_from(datagram)[-1])
    length, kind, _, *addressed, status = _TAIL.unpack_from(datagram, len(datagram) - _TAIL.size)
    if kind != NLMSG_DONE or length != _TAIL.size or addressed != [sequence, port]:
        return datagram, False
    if status < 0:
        raise from_errno("sock_diag dump failed", -status)
    return datagram[: -_TAIL.size], True


def row_size(datagram: bytes) -> int:
    """Return the length that every message of a datagram has, or 0 where they differ.

    Where each multiple of the first message's length holds that same length, the chain of
    messages can only be those rows, so nothing has to be walked in Python.
    """
    if len(datagram) < HEADER_BYTES:
        return 0
    size: int = _LENGTH.unpack_from(datagram)[0]
    count, rest = divmod(len(datagram), size) if size >= HEADER_BYTES else (0, 1)
    if rest or size % 4:
        return 0
    same = all(datagram[at::size].count(datagram[at]) == count for at in range(_LENGTH.size))
    return size if same else 0


def messages(datagram: bytes) -> list[bytes]:
    """Cut a datagram into its messages, headers included.

    Raises MalformedReplyError where a length points outside, or nowhere.
    """
    size = row_size(datagram)
    if size:
        return [datagram[at : at + size] for at in range(0, len(datagram), size)]
    found = []
    at, end = 0, len(datagram)
    while at < end:
        if end - at < HEADER_BYTES:
            raise MalformedReplyError(f"{end - at} bytes after the last netlink message")
        (length,) = _LENGTH.unpack_from(datagram, at)
        if not HEADER_BYTES <= length <= end - at:
            raise MalformedReplyError(f"netlink message of {length} bytes where {end - at} are left")
        found.append(datagram[at : at + length])
        at += length + 3 & ~3
    return found


def attributes(message: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield (type, offset of the payload, length of the payload) of each attribute from `start` on.

    Raises MalformedReplyError where a length points outside the message. Source:
    include/uapi/linux/netlink.h (struct nlattr).
    """
    at, end = start, len(message)
    while at < end:
        if end - at < _ATTRIBUTE.size:
            raise MalformedReplyError(f"{end - at} bytes after the last netlink attribute")
        length, kind = _ATTRIBUTE.unpack_from(message, at)
        if not _ATTRIBUTE.size <= length <= end - at:
            raise MalformedReplyError(f"netlink attribute of {length} bytes where {end - at} are left")
        yield kind & _TYPE_MASK, at + _ATTRIBUTE.size, length - _ATTRIBUTE.size
        at += length + 3 & ~3
