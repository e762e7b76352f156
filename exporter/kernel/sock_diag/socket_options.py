"""The options of a socket, and where it was created: attributes that the kernel adds to its row unasked.

A connection has those of its listener. Rows of half-open connections have none. Source: net/ipv4/inet_diag.c
(inet_diag_msg_attrs_fill) and struct inet_diag_sockopt in include/uapi/linux/inet_diag.h.
"""

from __future__ import annotations

import struct
import sys
from typing import Final, NamedTuple

from exporter.kernel.sock_diag.inet_row import ROW_BYTES
from exporter.kernel.sock_diag.messages import attributes

_INET_DIAG_SKV6ONLY: Final = 11
# The id of the cgroup of version 2 that the socket was created in: its directory's inode number. Linux 5.8.
_INET_DIAG_CGROUP_ID: Final = 21
# Bits of the first byte, which compilers fill from its lower end or from its upper. Linux 5.11.
_INET_DIAG_SOCKOPT: Final = 22
_TRANSPARENT: Final = 1 << 5 if sys.byteorder == "little" else 1 << 2
_CGROUP_ID: Final = struct.Struct("=Q")


class SocketOptions(NamedTuple):
    """The three as in `exporter.kernel.records.Listener`."""

    v6only: bool
    cgroup_id: int
    transparent: bool


def socket_options(row: bytes) -> SocketOptions:
    """Decode them; False and 0 where an older kernel does not tell. Raises MalformedReplyError."""
    v6only, cgroup_id, transparent = False, 0, False
    for kind, at, size in attributes(row, ROW_BYTES):
        if kind == _INET_DIAG_SOCKOPT and size:
            transparent = bool(row[at] & _TRANSPARENT)
        elif kind == _INET_DIAG_CGROUP_ID and size == _CGROUP_ID.size:
            (cgroup_id,) = _CGROUP_ID.unpack_from(row, at)
        elif kind == _INET_DIAG_SKV6ONLY and size:
            v6only = v6only or bool(row[at])
    return SocketOptions(v6only, cgroup_id, transparent)
