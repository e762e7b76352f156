"""Half-open connections (SYN_RECV), counted where they arrived.

Request sockets are in the hash table of established connections and name no listener. Source:
net/ipv4/inet_diag.c (inet_req_diag_fill). Rows are counted in C and not made an object each, since in a SYN
flood there are very many of them.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Final

from exporter.kernel.records import Endpoint
from exporter.kernel.sock_diag import socket_filter
from exporter.kernel.sock_diag.inet_row import ROW_BYTES, endpoint, peer
from exporter.kernel.sock_diag.messages import messages, row_size
from exporter.kernel.sock_diag.requests import TCP_NEW_SYN_RECV, tcp_request

# State 12, not 3: TCP_SYN_RECV also returns Fast Open children, which the accept queue counts.
REQUEST: Final = tcp_request(1 << TCP_NEW_SYN_RECV)
# The bytes of a row that differ between connections of different listeners: all but its header, timer, peer,
# cookie and owner.
_KEY: Final = "16x 2s 2x 2s 2x 16s 16x 4s 28x"
# The offsets of the same bytes, those first that differ most often between listeners.
_KEY_OFFSETS: Final = (21, 20, *range(27, 23, -1), 39, *range(28, 39), 16, 17, *range(56, 60))
_TCP_SYN_RECV: Final = 3
# The kernel shows a request socket as SYN_RECV also when it was asked for as NEW_SYN_RECV.
_STATES: Final = frozenset({_TCP_SYN_RECV, TCP_NEW_SYN_RECV})


def request_at_ports(ports: Collection[int]) -> bytes:
    """Return the request for half-open connections on 1 to MAX_PORTS local ports."""
    return tcp_request(1 << TCP_NEW_SYN_RECV, (), socket_filter.at_ports(ports))


def peers(datagrams: Iterable[bytes]) -> Iterator[tuple[Endpoint, bytes]]:
    """Yield where each half-open connection arrived, and the address of its client.

    Raises MalformedReplyError as `count` does.
    """
    for datagram in datagrams:
        for row in messages(datagram):
            local = endpoint(row, _STATES)
            yield local, peer(row)[0]


def count(datagrams: Iterable[bytes]) -> dict[Endpoint, int]:
    """Count the half-open connections of each endpoint in a dump's datagrams.

    Raises MalformedReplyError on rows that are too short, or were not asked for.
    """
    keys: Counter[tuple[bytes, ...]] = Counter()
    for datagram in datagrams:
        size = row_size(datagram)
        if size >= ROW_BYTES and _alike(datagram, size):
            keys[_key(ROW_BYTES).unpack_from(datagram)] += len(datagram) // size
        elif size >= ROW_BYTES:
            keys.update(_key(size).iter_unpack(datagram))
        else:
            for row in messages(datagram):
                endpoint(row, _STATES)
                keys.update(_key(len(row)).iter_unpack(row))
    found: Counter[Endpoint] = Counter()
    for key, number in keys.items():
        # Keys that differ in the state, or where an IPv4 row uses nothing, are one endpoint.
        found[endpoint(_key(ROW_BYTES).pack(*key), _STATES)] += number
    return dict(found)


def _alike(datagram: bytes, size: int) -> bool:
    """Tell whether all rows have one key, as in a flood on one listener: compared offset by offset."""
    rows = len(datagram) // size
    return all(datagram[at::size].count(datagram[at]) == rows for at in _KEY_OFFSETS)


@lru_cache(maxsize=8)
def _key(size: int) -> struct.Struct:
    return struct.Struct(f"={_KEY} {size - ROW_BYTES}x")
