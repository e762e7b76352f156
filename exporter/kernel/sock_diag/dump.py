"""Dumps and lookups: a request is sent to sock_diag, and the datagrams of the reply are checked.

Source: net/netlink/af_netlink.c, include/uapi/linux/netlink.h and net/core/sock_diag.c.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Generator
from typing import Final

from exporter.kernel.errors import ForeignDatagramError, MalformedReplyError, from_errno, from_os_error
from exporter.kernel.sock_diag.diag_socket import DiagSockets

NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
# Nothing between these two ends, or another socket with another cookie.
_NO_SUCH_SOCKET: Final = frozenset({errno.ENOENT, errno.ESTALE})

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


def lookup(request: bytes, sockets: DiagSockets) -> bytes | None:
    """Send `request` (one encoded message without NLM_F_DUMP) and return the row of the one socket it names.

    None where the kernel finds no such socket (inet_diag_dump_one_icsk, net/ipv4/inet_diag.c). Raises the
    same errors as `dump`.
    """
    (sequence,) = _SEQUENCE.unpack_from(request)
    with sockets.borrow() as channel:
        try:
            channel.send(request)
            datagram, sender = _receive(channel)
        except OSError as error:
            raise from_os_error("sock_diag lookup", error) from error
        if sender != 0:
            raise ForeignDatagramError(sender)
        if len(datagram) < _STATUS.size:
            raise MalformedReplyError(f"netlink datagram of {len(datagram)} bytes")
        length, kind, _, answered, _, status = _STATUS.unpack_from(datagram)
        if answered != sequence or length != len(datagram):
            raise MalformedReplyError(
                f"netlink reply of {length} bytes to request {answered}, "
                f"received {len(datagram)} and expected {sequence}"
            )
        if kind != NLMSG_ERROR:
            return datagram
        if -status not in _NO_SUCH_SOCKET:
            raise from_errno("sock_diag refused the request", -status)
        return None


class RepeatedDump:
    """The same request again and again. A datagram that is equal to the one before is not checked again."""

    def __init__(self, request: bytes) -> None:
        """Take a request as `dump` does."""
        self._request = request
        (self._sequence,) = _SEQUENCE.unpack_from(request)
        # The last reply as it came, and what of each datagram belongs to the answer.
        self._received: list[bytes] = []
        self._checked: list[bytes] = []
        self._answer: list[bytes] = []

    def read(self, sockets: DiagSockets) -> list[bytes]:
        """Return the datagrams of the whole reply; the very same list where none differs from the last.

        Raises UnavailableError, KernelError, MalformedReplyError or ForeignDatagramError.
        """
        channel = sockets.acquire()
        try:
            channel.send(self._request)
            for place, expected in enumerate(self._received):
                datagram, (sender, _) = channel.recvfrom(_RECEIVE_BYTES)
                if datagram != expected or sender:
                    self._take(channel, place, datagram, sender)
                    break
            if not self._received:
                self._take(channel, 0, *_receive(channel))
        except OSError as error:
            channel.close()
            raise from_os_error("sock_diag dump", error) from error
        except BaseException:
            channel.close()
            raise
        sockets.release(channel)
        return self._answer

    def _take(self, channel: socket.socket, place: int, datagram: bytes, sender: int) -> None:
        """Receive the rest of a reply, from the datagram at `place`, before which it is like the last one.

        That datagram, and who sent it, is here already. Nothing is kept of a reply that is not whole.
        """
        received, checked = self._received[:place], self._checked[:place]
        while True:
            if sender != 0:
                raise ForeignDatagramError(sender)
            received.append(datagram)
            datagram, finished = _check(datagram, self._sequence)
            checked.append(datagram)
            if finished:
                break
            datagram, sender = _receive(channel)
        self._received, self._checked = received, checked
        self._answer = [datagram for datagram in checked if datagram]


def _receive(channel: socket.socket) -> tuple[bytes, int]:
    datagram, (sender, _) = channel.recvfrom(_RECEIVE_BYTES)
    return datagram, sender


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
