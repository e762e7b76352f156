"""Which listener a half-open or waiting connection belongs to.

The kernel's rows name where a connection arrived, not who listens there, so the lookup is done
again: exact address before wildcard, bound device before unbound (inet_lookup_listener,
net/ipv4/inet_hashtables.c). A connection shows the family of its listener, so an IPv4 client of a
dual-stack `[::]` has an IPv6 row with a mapped address.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable

from exporter.kernel.records import Endpoint, Listener
from exporter.listeners.group import ListenerGroup

_MAPPED_PREFIX = bytes(10) + b"\xff\xff"
_ANY: dict[int, tuple[bytes, ...]] = {socket.AF_INET: (bytes(4),), socket.AF_INET6: (bytes(16),)}
# A socket bound to ::ffff:0.0.0.0 takes every IPv4 client, and keeps that address.
_ANY_MAPPED = (_MAPPED_PREFIX + bytes(4), bytes(16))


class Matcher:
    """An index of the TCP listeners of one namespace."""

    def __init__(self, listeners: Iterable[tuple[Listener, ListenerGroup]]) -> None:
        """Index these listeners; make a new one when they change."""
        self._by_endpoint: dict[Endpoint, ListenerGroup] = {}
        self._takes_ipv4: dict[Endpoint, ListenerGroup] = {}
        # How many sockets each family has, and the groups they make.
        self.families: Counter[int] = Counter()
        self.groups: set[ListenerGroup] = set()
        for listener, group in listeners:
            if listener.endpoint is None:
                continue
            self.families[listener.endpoint.family] += 1
            self.groups.add(group)
            self._by_endpoint[listener.endpoint] = group
            if listener.endpoint.family == socket.AF_INET6 and not listener.v6only:
                self._takes_ipv4[listener.endpoint] = group

    def find(self, arrived: Endpoint) -> ListenerGroup | None:
        """Return the listener's group, or None where no listener fits."""
        family, address, port, interface = arrived
        mapped = family == socket.AF_INET6 and address.startswith(_MAPPED_PREFIX)
        index = self._takes_ipv4 if mapped else self._by_endpoint
        for bound in (address, *(_ANY_MAPPED if mapped else _ANY[family])):
            for device in (interface, 0):
                group = index.get(Endpoint(family, bound, port, device))
                if group is not None:
                    return group
        return None
