"""Encoding requests to sock_diag, with the message classes of pyroute2.

TCP is asked for by the old request type 18 (TCPDIAG_GETSOCK), which dumps IPv4 and IPv6 in one walk;
SOCK_DIAG_BY_FAMILY refuses AF_UNSPEC and would walk the same tables twice. Source: net/ipv4/inet_diag.c and
include/uapi/linux/inet_diag.h.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Final

from exporter.kernel.records import WaitingConnection
from exporter.kernel.sock_diag.message_classes import NLM_F_DUMP, NLM_F_REQUEST, nlmsg

TCPDIAG_GETSOCK: Final = 18
# States of enum in include/net/tcp_states.h, which unix sockets use too.
TCP_ESTABLISHED: Final = 1
TCP_CLOSE_WAIT: Final = 8
TCP_LISTEN: Final = 10
TCP_NEW_SYN_RECV: Final = 12
# All requests have one sequence number, so that equal replies are equal bytes. A reply cannot be taken for
# that of an earlier request: a socket is used for another dump only after the whole reply has been read.
_SEQUENCE: Final = 1
_NO_COOKIE: Final = 0xFFFFFFFF
_ADDRESS: Final = struct.Struct(">4I")
_COOKIE: Final = struct.Struct("=2I")
_U64: Final = struct.Struct("=Q")


class _TcpDiagRequest(nlmsg):  # type: ignore[misc]  # pyroute2 ships no types
    """struct inet_diag_req, the request of type 18, which pyroute2 does not describe."""

    fields = (
        ("idiag_family", "B"),
        ("idiag_src_len", "B"),
        ("idiag_dst_len", "B"),
        ("idiag_ext", "B"),
        ("idiag_sport", ">H"),
        ("idiag_dport", ">H"),
        ("idiag_src", ">4I"),
        ("idiag_dst", ">4I"),
        ("idiag_if", "I"),
        ("idiag_cookie", "2I"),
        ("idiag_states", "I"),
        ("idiag_dbs", "I"),
    )


def encode(message: nlmsg, message_type: int, attributes: bytes = b"", *, dump: bool = True) -> bytes:
    """Encode a request for a dump, or else for one socket; encoded attributes follow its fields."""
    message["header"]["type"] = message_type
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_DUMP if dump else NLM_F_REQUEST
    message["header"]["sequence_number"] = _SEQUENCE
    message.encode()
    encoded = bytes(message.data) + attributes
    return struct.pack("=I", len(encoded)) + encoded[4:]


def tcp_request(states: int, extensions: Collection[int] = (), attributes: bytes = b"") -> bytes:
    """Encode a request for the TCP sockets of both families in these states (a bit for each).

    `extensions` are the attributes (INET_DIAG_*) that each row is to have beside those that it always has.
    """
    request = _TcpDiagRequest()
    request["idiag_states"] = states
    request["idiag_ext"] = _bits(extensions)
    request["idiag_src"] = request["idiag_dst"] = (0, 0, 0, 0)
    request["idiag_cookie"] = (_NO_COOKIE, _NO_COOKIE)
    return encode(request, TCPDIAG_GETSOCK, attributes)


def tcp_socket_request(connection: WaitingConnection, extensions: Collection[int] = ()) -> bytes:
    """Encode a request for the row of one connection, which the kernel finds without a walk.

    The cookie says that it has to be this very socket, and not another between the same two ends.
    """
    local = connection.local
    request = _TcpDiagRequest()
    request["idiag_family"] = local.family
    request["idiag_ext"] = _bits(extensions)
    request["idiag_sport"], request["idiag_dport"] = local.port, connection.peer_port
    request["idiag_src"] = _ADDRESS.unpack(local.address.ljust(_ADDRESS.size, b"\0"))
    request["idiag_dst"] = _ADDRESS.unpack(connection.peer_address.ljust(_ADDRESS.size, b"\0"))
    request["idiag_if"] = local.interface
    request["idiag_cookie"] = _COOKIE.unpack(_U64.pack(connection.cookie))
    return encode(request, TCPDIAG_GETSOCK, dump=False)


def _bits(extensions: Collection[int]) -> int:
    return sum(1 << (extension - 1) for extension in set(extensions))
