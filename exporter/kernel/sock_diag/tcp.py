"""TCP listeners, IPv4 and IPv6 in one dump.

Source: net/ipv4/inet_diag.c (inet_csk_diag_fill) and net/ipv4/tcp_diag.c (tcp_diag_get_info).
"""

from __future__ import annotations

import socket
import struct

from exporter.kernel.records import Listener, QueueReading
from exporter.kernel.sock_diag.inet_row import ROW_BYTES, check_size, endpoint
from exporter.kernel.sock_diag.messages import attributes
from exporter.kernel.sock_diag.requests import INET_DIAG_SKMEMINFO, TCP_LISTEN

_OWNER = struct.Struct("=80x II")
# In state LISTEN idiag_rqueue is sk_ack_backlog and idiag_wqueue is sk_max_ack_backlog; in every
# other state the two are bytes.
_QUEUE = struct.Struct("=60x Q 4x II")
# Nine u32, of which SK_MEMINFO_DROPS is the last (sk_get_meminfo, net/core/sock.c).
_SKMEMINFO = struct.Struct("=HH 32x I")
_SKMEMINFO_BYTES = 36
_INET_DIAG_SKV6ONLY = 11
# The id of the cgroup of version 2 that the socket was created in: its directory's inode number.
_INET_DIAG_CGROUP_ID = 21
_CGROUP_ID = struct.Struct("=Q")


def cookie(row: bytes) -> int:
    """Return the socket's cookie. Raises MalformedReplyError on a row that is too short."""
    check_size(row)
    number: int = _QUEUE.unpack_from(row)[0]
    return number


def listener(row: bytes) -> Listener:
    """Decode who a listener is. Raises MalformedReplyError on anything but a whole LISTEN row."""
    local = endpoint(row, (TCP_LISTEN,))
    uid, inode = _OWNER.unpack_from(row)
    v6only, cgroup_id = False, 0
    for kind, at, size in attributes(row, ROW_BYTES):
        if kind == _INET_DIAG_SKV6ONLY and size:
            v6only = v6only or bool(row[at])
        elif kind == _INET_DIAG_CGROUP_ID and size == _CGROUP_ID.size:
            (cgroup_id,) = _CGROUP_ID.unpack_from(row, at)
    return Listener(
        cookie=cookie(row),
        inode=inode,
        uid=uid,
        endpoint=local,
        device=_device(local.interface),
        v6only=v6only,
        cgroup_id=cgroup_id,
    )


def reading(row: bytes) -> QueueReading:
    """Decode the accept queue and the drops of a listener's row."""
    check_size(row)
    number, length, limit = _QUEUE.unpack_from(row)
    return QueueReading(number, length, limit, _drops(row))


def _drops(row: bytes) -> int | None:
    """Find SK_MEMINFO_DROPS: in the last attribute on the kernels seen, else wherever it is."""
    size, kind, drops = _SKMEMINFO.unpack_from(row, len(row) - _SKMEMINFO.size)
    if (size, kind) == (_SKMEMINFO.size, INET_DIAG_SKMEMINFO) and len(row) >= ROW_BYTES + _SKMEMINFO.size:
        return int(drops)
    for kind, at, length in attributes(row, ROW_BYTES):
        if kind == INET_DIAG_SKMEMINFO and length >= _SKMEMINFO_BYTES:
            return int(_SKMEMINFO.unpack_from(row, at - 4)[-1])
    return None


def _device(interface: int) -> str:
    """Name the interface; one that is gone keeps its number, as ss prints it."""
    if not interface:
        return ""
    try:
        return socket.if_indextoname(interface)
    except OSError:
        return f"if{interface}"
