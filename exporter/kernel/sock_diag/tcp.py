"""TCP listeners, IPv4 and IPv6 in one dump: their queues, drops and options.

Source: net/ipv4/inet_diag.c (inet_csk_diag_fill) and net/ipv4/tcp_diag.c (tcp_diag_get_info).
"""

from __future__ import annotations

import struct
from typing import Final

from exporter.kernel.records import Listener, QueueReading
from exporter.kernel.sock_diag.inet_row import ROW_BYTES, check_size, endpoint
from exporter.kernel.sock_diag.messages import attributes
from exporter.kernel.sock_diag.requests import TCP_LISTEN, tcp_request
from exporter.kernel.sock_diag.rows import ListenerRows
from exporter.kernel.sock_diag.socket_options import socket_options
from exporter.kernel.text import ip_address

_INET_DIAG_SKMEMINFO: Final = 7
_UID_AND_INODE: Final = struct.Struct("=80x II")
# In state LISTEN idiag_rqueue is sk_ack_backlog and idiag_wqueue is sk_max_ack_backlog; in every
# other state the two are bytes.
_QUEUE: Final = struct.Struct("=60x Q 4x II")
# Nine u32, of which SK_MEMINFO_DROPS is the last (sk_get_meminfo, net/core/sock.c).
_SKMEMINFO: Final = struct.Struct("=HH 32x I")
_SKMEMINFO_BYTES: Final = 36
_SKMEMINFO_HEAD: Final = struct.pack("=HH", _SKMEMINFO.size, _INET_DIAG_SKMEMINFO)
# The queue lies between them.
_QUEUE_OFFSET: Final = 72
_UID_OFFSET: Final = 80


class TcpRows(ListenerRows):
    """Rows of struct inet_diag_msg in state LISTEN."""

    requests: tuple[bytes, ...] = (tcp_request(1 << TCP_LISTEN, (_INET_DIAG_SKMEMINFO,)),)

    def cookie(self, row: bytes) -> int:
        """Return the cookie of the socket. Raises MalformedReplyError."""
        check_size(row)
        number: int = _QUEUE.unpack_from(row)[0]
        return number

    def listener(self, row: bytes) -> Listener:
        """Decode all but the queue. Raises MalformedReplyError."""
        local = endpoint(row, (TCP_LISTEN,))
        uid, inode = _UID_AND_INODE.unpack_from(row)
        v6only, cgroup_id, transparent = socket_options(row)
        return Listener(
            cookie=self.cookie(row),
            inode=inode,
            address=ip_address(local),
            port=str(local.port),
            uid=uid,
            endpoint=local,
            v6only=v6only,
            cgroup_id=cgroup_id,
            transparent=transparent,
        )

    def same_listener(self, old: bytes, new: bytes) -> bool:
        """Tell whether two rows of one socket have the same listener. Raises MalformedReplyError."""
        # On the kernels seen they differ in the queue and in the last attribute alone, which costs less.
        last = -_SKMEMINFO.size
        alike = (
            old[:_QUEUE_OFFSET] == new[:_QUEUE_OFFSET]
            and old[_UID_OFFSET:last] == new[_UID_OFFSET:last]
            and new.startswith(_SKMEMINFO_HEAD, max(ROW_BYTES, len(new) + last))
        )
        return alike or self.listener(old) == self.listener(new)

    def reading(self, row: bytes) -> QueueReading:
        """Decode the accept queue and the drops. Raises MalformedReplyError."""
        check_size(row)
        number, length, limit = _QUEUE.unpack_from(row)
        return QueueReading(number, length, limit, _drops(row))


def _drops(row: bytes) -> int | None:
    """Find SK_MEMINFO_DROPS: in the last attribute on the kernels seen, else wherever it is."""
    size, kind, drops = _SKMEMINFO.unpack_from(row, len(row) - _SKMEMINFO.size)
    if (size, kind) == (_SKMEMINFO.size, _INET_DIAG_SKMEMINFO) and len(row) >= ROW_BYTES + _SKMEMINFO.size:
        return int(drops)
    for kind, at, length in attributes(row, ROW_BYTES):
        if kind == _INET_DIAG_SKMEMINFO and length >= _SKMEMINFO_BYTES:
            return int(_SKMEMINFO.unpack_from(row, at - 4)[-1])
    return None
