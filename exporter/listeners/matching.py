"""Which listener a half-open or waiting connection belongs to.

The kernel's rows tell where a connection arrived, and not which socket listens there, so the kernel's lookup
is repeated: exact address before wildcard, bound device before unbound (inet_lookup_listener,
net/ipv4/inet_hashtables.c). A row has the family of the listener, so that of an IPv4 client of a dual-stack
`[::]` is an IPv6 row with a mapped address.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable
from typing import Final

from exporter.kernel.records import Endpoint, Listener
from exporter.listeners.group import ListenerGroup

_MAPPED_PREFIX: Final = bytes(10) + b"\xff\xff"
_ANY: Final[dict[int, tuple[bytes, ...]]] = {socket.AF_INET: (bytes(4),), socket.AF_INET6: (bytes(16),)}
# A socket bound to ::ffff:0.0.0.0 receives from every IPv4 client, and shows that address.
_ANY_MAPPED: Final = (_MAPPED_PREFIX + bytes(4), bytes(16))


class Matcher:
    """An index of the IP listeners of one namespace.

    `families` has the number of sockets of each address family, `groups` the groups that they belong to.
    """

    def __init__(self, listeners: Iterable[tuple[Listener, ListenerGroup]]) -> None:
        """Index these listeners; make a new one when they change."""
        self._by_endpoint: dict[Endpoint, ListenerGroup] = {}
        self._dual_stack: dict[Endpoint, ListenerGroup] = {}
        self.families: Counter[int] = Counter()
        self.groups: set[ListenerGroup] = set()
        for listener, group in listeners:
            if listener.endpoint is None:
                continue
            self.families[listener.endpoint.family] += 1
            self.groups.add(group)
            self._by_endpoint[listener.endpoint] = group
            if listener.endpoint.family == socket.AF_INET6 and not listener.v6only:
                self._dual_stack[listener.endpoint] = group

    def find(self, arrived: Endpoint) -> ListenerGroup | None:
        """Return the group of the listener where a connection arrived, None where no listener fits."""
        family, address, port, interface = arrived
        mapped = family == socket.AF_INET6 and address.startswith(_MAPPED_PREFIX)
        index = self._dual_stack if mapped else self._by_endpoint
        for bound in (address, *(_ANY_MAPPED if mapped else _ANY[family])):
            for device in (interface, 0):
                group = index.get(Endpoint(family, bound, port, device))
                if group is not None:
                    return group
        return None
