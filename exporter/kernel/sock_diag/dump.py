"""One dump: a request is sent to sock_diag, and the datagrams of the reply are checked.

Source: net/netlink/af_netlink.c, include/uapi/linux/netlink.h and net/core/sock_diag.c.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from typing import Final

from exporter.kernel.errors import ForeignDatagramError, MalformedReplyError, from_errno, from_os_error
from exporter.kernel.sock_diag.diag_socket import DiagSockets

NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3

# The kernel fills at most 32 KiB a datagram (netlink_dump).
_RECEIVE_BYTES: Final = 65536
_HEADER: Final = struct.Struct("=IHHII")
# A header and the errno that NLMSG_DONE and NLMSG_ERROR begin with.
_STATUS: Final = struct.Struct("=IHHIIi")
_SEQUENCE: Final = struct.Struct("=8xI")


def dump(request: bytes, sockets: DiagSockets) -> Generator[bytes, None, None]:
    """Send `request` (one encoded message with NLM_F_DUMP) and yield the datagrams of its reply.

    Each datagram holds whole messages; the closing NLMSG_DONE is taken off. An error that the kernel puts
    into NLMSG_ERROR, or into the payload of NLMSG_DONE, is raised: an empty reply means that there is nothing
    only where the kernel says that it succeeded.

    A caller that stops before the end has to close the generator, so that the socket, which is busy with
    the dump, is closed too: an error that is kept also keeps its frames, and they the generator.

    Raises UnavailableError, KernelError, MalformedReplyError or ForeignDatagramError.
    """
    (sequence,) = _SEQUENCE.unpack_from(request)
    with sockets.borrow() as channel:
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
            raise from_os_error("sock_diag dump", error) from error


def _check(datagram: bytes, sequence: int) -> tuple[bytes, bool]:
    """Take the closing NLMSG_DONE off a datagram, and return whether it was there."""
    if len(datagram) < _STATUS.size:
        raise MalformedReplyError(f"netlink datagram of {len(datagram)} bytes")
    _, kind, _, answered, _ = _HEADER.unpack_from(datagram)
    if answered != sequence:
        raise MalformedReplyError(f"netlink reply to request {answered}, expected {sequence}")
    if kind == NLMSG_ERROR:
        raise from_errno("sock_diag refused the request", -_STATUS.unpack_from(datagram)[-1])
    length, kind, _, answered, _, status = _STATUS.unpack_from(datagram, len(datagram) - _STATUS.size)
    if kind != NLMSG_DONE or length != _STATUS.size or answered != sequence:
        return datagram, False
    if status < 0:
        raise from_errno("sock_diag dump failed", -status)
    return datagram[: -_STATUS.size], True
