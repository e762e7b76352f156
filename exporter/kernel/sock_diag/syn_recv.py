"""Half-open connections (SYN_RECV), counted where they arrived.

Request sockets live in the established hash and name no listener. Source: net/ipv4/inet_diag.c
(inet_req_diag_fill). Rows are counted in C and never become one object each: a SYN flood is just
the moment in which this has to be cheap.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from exporter.kernel.records import Endpoint
from exporter.kernel.sock_diag.inet_row import ROW_BYTES, endpoint
from exporter.kernel.sock_diag.messages import messages, row_size
from exporter.kernel.sock_diag.requests import TCP_NEW_SYN_RECV

# The columns that tell connections of one listener from another's: the row without its header,
# timer, peer, cookie and owner.
_KEY = "16x 2s 2x 2s 2x 16s 16x 4s 28x"
# Where the same columns stand, those first that differ most often between listeners.
_KEY_COLUMNS = (21, 20, *range(27, 23, -1), 39, *range(28, 39), 16, 17, *range(56, 60))
_TCP_SYN_RECV = 3
# The kernel shows a request socket as SYN_RECV even when it was asked for as NEW_SYN_RECV.
_STATES = frozenset({_TCP_SYN_RECV, TCP_NEW_SYN_RECV})


def count(datagrams: Iterable[bytes]) -> dict[Endpoint, int]:
    """Count the half-open connections of each endpoint in a dump's datagrams.

    Raises MalformedReplyError on rows that are no whole inet_diag_msg in that state.
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
    """Tell whether all rows have one key, as in a flood on one listener: compared column by column."""
    rows = len(datagram) // size
    return all(datagram[at::size].count(datagram[at]) == rows for at in _KEY_COLUMNS)


@lru_cache(maxsize=8)
def _key(size: int) -> struct.Struct:
    return struct.Struct(f"={_KEY} {size - ROW_BYTES}x")
