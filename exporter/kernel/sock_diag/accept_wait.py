"""How long connections have been waiting for accept.

A connection in the accept queue has no file yet, so its inode is 0, and nothing was sent on it
yet, so the `last_data_sent` of its TCP_INFO is the time since it was created (tp->lsndtime is set
in tcp_create_openreq_child, net/ipv4/tcp_minisocks.c). A client that gave up leaves it in
CLOSE_WAIT, still in the queue; an orphan is in neither state.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.records import Endpoint
from exporter.kernel.sock_diag.inet_row import ROW_BYTES, endpoint
from exporter.kernel.sock_diag.messages import attributes, messages
from exporter.kernel.sock_diag.requests import INET_DIAG_INFO, TCP_CLOSE_WAIT, TCP_ESTABLISHED

_INODE = struct.Struct("=84x I")
# struct tcp_info: eight single bytes and nine u32 stand before tcpi_last_data_sent (uapi/linux/tcp.h).
_LAST_DATA_SENT = struct.Struct("=44x I")
_STATES = frozenset({TCP_ESTABLISHED, TCP_CLOSE_WAIT})


def oldest(datagrams: Iterable[bytes]) -> dict[Endpoint, float]:
    """Return, for each endpoint, the seconds that its oldest waiting connection has waited.

    Raises MalformedReplyError on rows that are not what was asked for.
    """
    found: dict[Endpoint, float] = {}
    for datagram in datagrams:
        for row in messages(datagram):
            local = endpoint(row, _STATES)
            if _INODE.unpack_from(row)[0] == 0:
                found[local] = max(found.get(local, 0.0), _age_seconds(row))
    return found


def _age_seconds(row: bytes) -> float:
    for kind, at, size in attributes(row, ROW_BYTES):
        if kind == INET_DIAG_INFO and size >= _LAST_DATA_SENT.size:
            milliseconds: int = _LAST_DATA_SENT.unpack_from(row, at)[0]
            return milliseconds / 1000
    raise MalformedReplyError("inet_diag row without the TCP_INFO that was asked for")
