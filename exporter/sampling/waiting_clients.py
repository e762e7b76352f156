"""The clients that most of the connections are from that wait for accept at a listener."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from exporter.kernel.records import Endpoint, WaitingConnection
from exporter.kernel.text import ip_address

_MOST: Final = 3


class WaitingClient(NamedTuple):
    """The address of a client, and how many of its connections wait."""

    address: str
    waiting: int


def most_waiting(connections: Iterable[WaitingConnection]) -> tuple[WaitingClient, ...]:
    """Return the three addresses with most of these connections, most first.

    Equal numbers are in the order of the addresses' text. An IPv4-mapped address is the IPv4 address.
    """
    raw = Counter(Endpoint(each.local.family, each.peer_address, 0, 0) for each in connections)
    counts: Counter[str] = Counter()
    for endpoint, count in raw.items():
        counts[ip_address(endpoint)] += count
    clients = sorted(counts.items(), key=lambda client: (-client[1], client[0]))[:_MOST]
    return tuple(WaitingClient(address, waiting) for address, waiting in clients)
