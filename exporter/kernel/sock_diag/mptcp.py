"""Which TCP listeners are those of MPTCP; their rows stand in the plain TCP dump as well.

Source: net/mptcp/mptcp_diag.c.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Final

from exporter.kernel.sock_diag.inet_row import inode
from exporter.kernel.sock_diag.message_classes import SOCK_DIAG_BY_FAMILY, inet_diag_req
from exporter.kernel.sock_diag.messages import messages
from exporter.kernel.sock_diag.requests import TCP_LISTEN, encode

_INET_DIAG_REQ_PROTOCOL: Final = 3
_IPPROTO_MPTCP: Final = 262


def request(family: int) -> bytes:
    """Return the request for the MPTCP listeners of one address family, which cannot be asked for as one."""
    message = inet_diag_req()
    message["sdiag_family"] = family
    message["sdiag_protocol"] = socket.IPPROTO_RAW
    message["idiag_states"] = 1 << TCP_LISTEN
    message["idiag_src"] = message["idiag_dst"] = (0, 0, 0, 0)
    protocol = struct.pack("=HHI", 8, _INET_DIAG_REQ_PROTOCOL, _IPPROTO_MPTCP)
    return encode(message, SOCK_DIAG_BY_FAMILY, protocol)


def inodes(datagrams: Iterable[bytes]) -> Iterator[int]:
    """Yield the inode of each listener in a dump. Raises MalformedReplyError."""
    for datagram in datagrams:
        for row in messages(datagram):
            yield inode(row)
