"""Which connections wait for accept, and for how long.

A connection in the accept queue has no file yet, so its inode is 0, and nothing was sent on it
yet, so the `last_data_sent` of its TCP_INFO is the time since it was created (tp->lsndtime is set
in tcp_create_openreq_child, net/ipv4/tcp_minisocks.c). One whose client has closed is in CLOSE_WAIT and
still in the queue; an orphaned socket, which has no inode either, is in neither state. One that ended with
RST is still in the queue, and in no hash table, so that no row shows it (tcp_done, net/ipv4/tcp.c).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Final

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.records import WaitingConnection, WaitingDump
from exporter.kernel.sock_diag import socket_filter
from exporter.kernel.sock_diag.inet_row import ROW_BYTES, cookie, endpoint, inode, peer
from exporter.kernel.sock_diag.messages import attributes, messages, row_size
from exporter.kernel.sock_diag.requests import (
    TCP_CLOSE_WAIT,
    TCP_ESTABLISHED,
    tcp_request,
    tcp_socket_request,
)
from exporter.kernel.sock_diag.socket_options import socket_options

_INET_DIAG_INFO: Final = 2
# struct tcp_info: eight single bytes and nine u32 stand before tcpi_last_data_sent (uapi/linux/tcp.h).
_LAST_DATA_SENT: Final = struct.Struct("=44x I")
# struct nlattr: length and type.
_ATTRIBUTE_BYTES: Final = 4
_STATES: Final = frozenset({TCP_ESTABLISHED, TCP_CLOSE_WAIT})
# FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, LAST_ACK and CLOSING (include/net/tcp_states.h). The kernel chooses
# sockets by their states, and reads those again for the rows (inet_diag_dump_icsk, net/ipv4/inet_diag.c):
# meanwhile a connection may be closed.
_CLOSED_SINCE: Final = frozenset({4, 5, 6, 7, 9, 11})
_STATE_BITS: Final = sum(1 << state for state in _STATES)
_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})
_FAMILY_OFFSET: Final = 16
_STATE_OFFSET: Final = 17
_INODE_OFFSET: Final = 84


def request_at_ports(ports: Collection[int]) -> bytes:
    """Return the request for connections on 1 to MAX_PORTS local ports that may wait for accept."""
    return tcp_request(_STATE_BITS, (_INET_DIAG_INFO,), socket_filter.at_ports(ports))


def request_in_cgroups(cgroup_ids: Collection[int]) -> bytes:
    """Return the request for connections on all ports whose listener was created in one of these cgroups.

    All that may wait for accept, where none is given, or more than a filter may have.
    """
    filtered = 0 < len(cgroup_ids) <= socket_filter.MAX_CGROUPS
    attribute = socket_filter.in_cgroups(cgroup_ids) if filtered else b""
    return tcp_request(_STATE_BITS, (_INET_DIAG_INFO,), attribute)


def request_one(connection: WaitingConnection) -> bytes:
    """Return the request for a connection that waited, which is no dump."""
    return tcp_socket_request(connection, (_INET_DIAG_INFO,))


def waiting(datagrams: Iterable[bytes]) -> Iterator[WaitingConnection]:
    """Yield the connections that wait for accept.

    Raises MalformedReplyError on rows that were not asked for.
    """
    for datagram in datagrams:
        for row in _without_file(datagram):
            yield _connection(row)


def waiting_beside(datagrams: Iterable[bytes], known: Collection[int]) -> WaitingDump:
    """Return the same, and of those with the cookies in `known` only for how long they have waited.

    To decode a row takes ten times as long as to read its cookie and its age. Raises the same error.
    """
    result = WaitingDump([], {})
    length, info_at, header = 0, 0, b""
    for datagram in datagrams:
        for row in _without_file(datagram):
            number = cookie(row)
            if number not in known:
                result.found.append(_connection(row))
                continue
            # Rows of one length have their attributes in the same places, as far as is known.
            if len(row) != length or row[info_at - _ATTRIBUTE_BYTES : info_at] != header:
                length, info_at = len(row), _info_at(row)
                header = row[info_at - _ATTRIBUTE_BYTES : info_at]
            result.still[number] = _age_seconds(row, info_at)
    return result


def still_waiting(row: bytes) -> bool:
    """Tell whether the row of a connection that waited shows that it still does."""
    return inode(row) == 0 and row[_STATE_OFFSET] in _STATES


def _without_file(datagram: bytes) -> list[bytes]:
    """Return the rows with inode 0. There may be 200,000 others, so rows of one size are compared in C."""
    size = row_size(datagram)
    if size >= ROW_BYTES and _asked_for(datagram, size):
        inodes = _inodes(size).iter_unpack(datagram)
        starts = [index * size for index, (number,) in enumerate(inodes) if number == 0]
        return [datagram[start : start + size] for start in starts]
    rows = messages(datagram)
    for row in rows:
        endpoint(row, _STATES | _CLOSED_SINCE)
    return [row for row in rows if still_waiting(row)]


def _asked_for(datagram: bytes, size: int) -> bool:
    families = set(datagram[_FAMILY_OFFSET::size])
    return families <= _FAMILIES and set(datagram[_STATE_OFFSET::size]) <= _STATES


@lru_cache(maxsize=8)
def _inodes(size: int) -> struct.Struct:
    return struct.Struct(f"={_INODE_OFFSET}x I {size - ROW_BYTES}x")


def _connection(row: bytes) -> WaitingConnection:
    local = endpoint(row, _STATES)
    _, cgroup_id, transparent = socket_options(row)
    return WaitingConnection(
        cookie(row), local, *peer(row), cgroup_id, transparent, _age_seconds(row, _info_at(row))
    )


def _age_seconds(row: bytes, info_at: int) -> float:
    milliseconds: int = _LAST_DATA_SENT.unpack_from(row, info_at)[0]
    return milliseconds / 1000


def _info_at(row: bytes) -> int:
    """Return where the TCP_INFO of a row begins, behind the header of its attribute."""
    for kind, at, size in attributes(row, ROW_BYTES):
        if kind == _INET_DIAG_INFO and size >= _LAST_DATA_SENT.size:
            return at
    raise MalformedReplyError("inet_diag row without the TCP_INFO that was asked for")
