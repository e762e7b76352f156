"""Encoding requests to sock_diag, with the message classes of pyroute2.

TCP is asked for by the old request type 18 (TCPDIAG_GETSOCK), which dumps IPv4 and IPv6 in one walk;
SOCK_DIAG_BY_FAMILY refuses AF_UNSPEC and would walk the same tables twice. Source: net/ipv4/inet_diag.c and
include/uapi/linux/inet_diag.h.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Final

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


def encode(message: nlmsg, message_type: int, attributes: bytes = b"") -> bytes:
    """Encode a request for a dump, with encoded attributes behind the fields of the message."""
    message["header"]["type"] = message_type
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_DUMP
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
    request["idiag_ext"] = sum(1 << (extension - 1) for extension in set(extensions))
    request["idiag_src"] = request["idiag_dst"] = (0, 0, 0, 0)
    request["idiag_cookie"] = (_NO_COOKIE, _NO_COOKIE)
    return encode(request, TCPDIAG_GETSOCK, attributes)
