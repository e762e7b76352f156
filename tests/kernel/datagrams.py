"""Netlink messages and rows made by hand, for what a kernel cannot be made to send.

Source: include/uapi/linux/netlink.h, inet_diag.h and unix_diag.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable

SEQUENCE = 1
PORT = 4711

TCPDIAG_GETSOCK = 18
NLMSG_NOOP = 1
NLMSG_ERROR = 2
NLMSG_DONE = 3

ESTABLISHED = 1
SYN_RECV = 3
LISTEN = 10

_INFO = 2
_PEER_OFFSET = 40
_SKMEMINFO = 7
_UNIX_NAME = 0
_UNIX_RQLEN = 4


def message(
    payload: bytes, *, kind: int = TCPDIAG_GETSOCK, sequence: int = SEQUENCE, port: int = PORT
) -> bytes:
    """One message with its header, not padded."""
    return struct.pack("=IHHII", 16 + len(payload), kind, 2, sequence, port) + payload


def done(status: int = 0, *, sequence: int = SEQUENCE, port: int = PORT) -> bytes:
    """The message that ends a dump."""
    return message(struct.pack("=i", status), kind=NLMSG_DONE, sequence=sequence, port=port)


def error(status: int, request: bytes = b"", *, sequence: int = SEQUENCE, port: int = PORT) -> bytes:
    """The message that refuses a request, followed by the request."""
    payload = struct.pack("=i", status) + request
    return message(payload, kind=NLMSG_ERROR, sequence=sequence, port=port)


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to a multiple of four."""
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def inet_row(
    cookie: int,
    *,
    address: str = "127.0.0.1",
    port: int = 8000,
    state: int = LISTEN,
    length: int = 0,
    limit: int = 128,
    inode: int | None = None,
    interface: int = 0,
    attributes: bytes = b"",
) -> bytes:
    """A row of a TCP dump; the inode is the cookie's number unless another one is given."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    local = socket.inet_pton(family, address).ljust(16, b"\0")
    payload = struct.pack("=BBBB", family, state, 0, 0) + struct.pack("!HH", port, 0) + local + bytes(16)
    payload += struct.pack("=IQ", interface, cookie)
    payload += struct.pack("=IIIII", 0, length, limit, 0, cookie if inode is None else inode)
    return message(payload + attributes)


def with_peer(row: bytes, address: str) -> bytes:
    """A row of a connection whose client has this address."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return row[:_PEER_OFFSET] + packed.ljust(16, b"\0") + row[_PEER_OFFSET + 16 :]


def tcp_row(cookie: int, *, length: int = 0, drops: int = 0, address: str = "127.0.0.1") -> bytes:
    """A listener's row as a kernel makes it, with its drops."""
    return inet_row(cookie, length=length, address=address, attributes=skmeminfo(drops))


def skmeminfo(drops: int) -> bytes:
    """The attribute with the drops in its ninth and last number."""
    return attribute(_SKMEMINFO, struct.pack("=9I", 0, 131072, 0, 16384, 0, 0, 0, 0, drops))


def tcp_info(last_data_sent: int) -> bytes:
    """The attribute with the milliseconds since data was sent."""
    return attribute(_INFO, struct.pack("=44x I 184x", last_data_sent))


def unix_row(
    cookie: int, *, name: bytes = b"/run/a\0", length: int = 0, limit: int = 128, more: bytes = b""
) -> bytes:
    """A unix listener's row; `more` are further attributes."""
    payload = struct.pack("=BBBB IQ", socket.AF_UNIX, socket.SOCK_STREAM, LISTEN, 0, cookie, cookie)
    payload += attribute(_UNIX_NAME, name) + attribute(_UNIX_RQLEN, struct.pack("=II", length, limit))
    return message(payload + more, kind=20)


def datagram(messages: Iterable[bytes]) -> bytes:
    """Messages one after the other, each padded to a multiple of four."""
    return b"".join(each + bytes(-len(each) % 4) for each in messages)
