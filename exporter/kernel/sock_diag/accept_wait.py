"""How long connections have been waiting for accept.

A connection in the accept queue has no file yet, so its inode is 0, and nothing was sent on it
yet, so the `last_data_sent` of its TCP_INFO is the time since it was created (tp->lsndtime is set
in tcp_create_openreq_child, net/ipv4/tcp_minisocks.c). One whose client has closed is in CLOSE_WAIT and
still in the queue; an orphaned socket, which has no inode either, is in neither state.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable
from typing import Final

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.records import Endpoint
from exporter.kernel.sock_diag.inet_row import ROW_BYTES, endpoint, inode
from exporter.kernel.sock_diag.messages import attributes, messages
from exporter.kernel.sock_diag.requests import TCP_CLOSE_WAIT, TCP_ESTABLISHED, tcp_request

# A jump is counted in 16 bits, which ends at 5461 ports; but the kernel checks each jump by walking the
# program (inet_diag_bc_audit), so that 1000 ports cost 2 ms and 5000 cost 40.
MAX_PORTS: Final = 1000

_INET_DIAG_INFO: Final = 2
_INET_DIAG_REQ_BYTECODE: Final = 1
_INET_DIAG_BC_JMP: Final = 1
_INET_DIAG_BC_S_EQ: Final = 11
# struct tcp_info: eight single bytes and nine u32 stand before tcpi_last_data_sent (uapi/linux/tcp.h).
_LAST_DATA_SENT: Final = struct.Struct("=44x I")
_STATES: Final = frozenset({TCP_ESTABLISHED, TCP_CLOSE_WAIT})


def request(ports: Collection[int]) -> bytes:
    """Return the request for connections on 1 to MAX_PORTS local ports that may wait for accept.

    The kernel runs the filter (inet_diag_bc_run): each port is compared and a match jumps to the end.
    """
    last = len(ports) - 1
    program = b""
    for index, port in enumerate(sorted(ports)):
        program += struct.pack("=BBHBBH", _INET_DIAG_BC_S_EQ, 8, 12, 0, 0, port)
        if index < last:
            program += struct.pack("=BBH", _INET_DIAG_BC_JMP, 4, 12 * (last - index))
    attribute = struct.pack("=HH", len(program) + 4, _INET_DIAG_REQ_BYTECODE) + program
    return tcp_request(sum(1 << state for state in _STATES), (_INET_DIAG_INFO,), attribute)


def oldest(datagrams: Iterable[bytes]) -> dict[Endpoint, float]:
    """Return, for each endpoint, the seconds that its oldest waiting connection has waited.

    Raises MalformedReplyError on rows that were not asked for.
    """
    found: dict[Endpoint, float] = {}
    for datagram in datagrams:
        for row in messages(datagram):
            local = endpoint(row, _STATES)
            if inode(row) == 0:
                found[local] = max(found.get(local, 0.0), _age_seconds(row))
    return found


def _age_seconds(row: bytes) -> float:
    for kind, at, size in attributes(row, ROW_BYTES):
        if kind == _INET_DIAG_INFO and size >= _LAST_DATA_SENT.size:
            milliseconds: int = _LAST_DATA_SENT.unpack_from(row, at)[0]
            return milliseconds / 1000
    raise MalformedReplyError("inet_diag row without the TCP_INFO that was asked for")
