"""The questions put to sock_diag, encoded once by pyroute2's message classes and kept as bytes.

TCP is asked through the old request type 18 (TCPDIAG_GETSOCK), which dumps IPv4 and IPv6 in one
walk; SOCK_DIAG_BY_FAMILY refuses AF_UNSPEC and would walk the same tables twice. Source:
net/ipv4/inet_diag.c, net/unix/diag.c and include/uapi/linux/{inet_diag,unix_diag}.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection
from typing import Final

from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST, nlmsg
from pyroute2.netlink.diag import (
    SOCK_DIAG_BY_FAMILY,
    UDIAG_SHOW_NAME,
    UDIAG_SHOW_RQLEN,
    inet_diag_req,
    unix_diag_req,
)

TCPDIAG_GETSOCK = 18
TCP_ESTABLISHED = 1
TCP_CLOSE_WAIT = 8
TCP_LISTEN = 10
TCP_NEW_SYN_RECV = 12
INET_DIAG_INFO = 2
INET_DIAG_SKMEMINFO = 7
_INET_DIAG_REQ_BYTECODE = 1
_INET_DIAG_REQ_PROTOCOL = 3
_INET_DIAG_BC_JMP = 1
_INET_DIAG_BC_S_EQ = 11
_UDIAG_SHOW_UID = 0x40
_IPPROTO_MPTCP = 262
# A jump is counted in 16 bits, which ends at 5461 ports; but the kernel checks each jump by walking the
# program (inet_diag_bc_audit), so that 1000 ports cost 2 ms and 5000 cost 40.
MOST_PORTS: Final = 1000
# Every dump has a fresh socket, so one number serves all, and equal replies are equal bytes.
_SEQUENCE = 1
_NO_COOKIE = 0xFFFFFFFF


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


def _encode(message: nlmsg, kind: int, attributes: bytes = b"") -> bytes:
    message["header"]["type"] = kind
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_DUMP
    message["header"]["sequence_number"] = _SEQUENCE
    message.encode()
    encoded = bytes(message.data) + attributes
    return struct.pack("=I", len(encoded)) + encoded[4:]


def _tcp(states: int, extension: int = 0, attributes: bytes = b"") -> bytes:
    request = _TcpDiagRequest()
    request["idiag_states"] = states
    request["idiag_ext"] = 1 << (extension - 1) if extension else 0
    request["idiag_src"] = request["idiag_dst"] = (0, 0, 0, 0)
    request["idiag_cookie"] = (_NO_COOKIE, _NO_COOKIE)
    return _encode(request, TCPDIAG_GETSOCK, attributes)


def _unix_listeners() -> bytes:
    request = unix_diag_req()
    request["sdiag_family"] = socket.AF_UNIX
    request["udiag_states"] = 1 << TCP_LISTEN
    request["udiag_show"] = UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN | _UDIAG_SHOW_UID
    return _encode(request, SOCK_DIAG_BY_FAMILY)


def mptcp_listeners(family: int) -> bytes:
    """Ask for the MPTCP listeners of one family; they stand in the plain TCP dump as well."""
    request = inet_diag_req()
    request["sdiag_family"] = family
    request["sdiag_protocol"] = socket.IPPROTO_RAW
    request["idiag_states"] = 1 << TCP_LISTEN
    request["idiag_src"] = request["idiag_dst"] = (0, 0, 0, 0)
    protocol = struct.pack("=HHI", 8, _INET_DIAG_REQ_PROTOCOL, _IPPROTO_MPTCP)
    return _encode(request, SOCK_DIAG_BY_FAMILY, protocol)


def waiting(ports: Collection[int]) -> bytes:
    """Ask for connections on these local ports, 1 to MOST_PORTS, that may wait for accept, with TCP_INFO.

    CLOSE_WAIT is asked for besides ESTABLISHED: a client that gave up stays in the queue. The
    kernel runs the filter (inet_diag_bc_run): each port is compared and a match jumps to the end.
    """
    last = len(ports) - 1
    program = b""
    for index, port in enumerate(sorted(ports)):
        program += struct.pack("=BBHBBH", _INET_DIAG_BC_S_EQ, 8, 12, 0, 0, port)
        if index < last:
            program += struct.pack("=BBH", _INET_DIAG_BC_JMP, 4, 12 * (last - index))
    attribute = struct.pack("=HH", len(program) + 4, _INET_DIAG_REQ_BYTECODE) + program
    return _tcp(1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT, INET_DIAG_INFO, attribute)


TCP_LISTENERS = _tcp(1 << TCP_LISTEN, INET_DIAG_SKMEMINFO)
# State 12, not 3: TCP_SYN_RECV also returns Fast Open children, which the accept queue counts.
SYN_RECV = _tcp(1 << TCP_NEW_SYN_RECV)
UNIX_LISTENERS = _unix_listeners()
