"""Which listener a half-open or waiting connection belongs to.

The kernel's rows tell where a connection arrived, and not which socket listens there, so the kernel's lookup
is repeated: exact address before wildcard, bound device before unbound (inet_lookup_listener,
net/ipv4/inet_hashtables.c). A row has the family of the listener, so that of an IPv4 client of a dual-stack
`[::]`, or of a listener on an IPv4-mapped address, is an IPv6 row with a mapped address.

TPROXY gives connections to a transparent listener whatever address and port they were sent to, and they keep
both (nf_tproxy_get_sock_v4, net/ipv4/netfilter/nf_tproxy_ipv4.c). Neither tells which listener that is, so
there may be several that can have one.
"""

from __future__ import annotations

import socket
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from exporter.kernel.records import IPV4_MAPPED_PREFIX, Endpoint, Listener, WaitingConnection
from exporter.listeners.group import ListenerGroup

_ANY: Final[dict[int, bytes]] = {socket.AF_INET: bytes(4), socket.AF_INET6: bytes(16)}
# A socket bound to ::ffff:0.0.0.0 receives from every IPv4 client, and shows that address.
_ANY_MAPPED: Final = IPV4_MAPPED_PREFIX + bytes(4)


class Matcher:
    """An index of the IP listeners of one namespace.

    `families` has the number of sockets of each address family, `groups` the groups that they belong to, and
    `transparent` those of them to which connections may be redirected.
    """

    def __init__(self, listeners: Iterable[tuple[Listener, ListenerGroup]]) -> None:
        """Index these listeners, in the order in which they were found; make a new one when they change."""
        self._by_endpoint: dict[Endpoint, ListenerGroup] = {}
        self.families: Counter[int] = Counter()
        self.groups: set[ListenerGroup] = set()
        self._groups_of: defaultdict[int, set[ListenerGroup]] = defaultdict(set)
        self.transparent: set[ListenerGroup] = set()
        self._transparent: list[tuple[Endpoint, Listener, ListenerGroup]] = []
        perhaps_dual_stack: list[tuple[Endpoint, ListenerGroup]] = []
        at_endpoint: dict[Endpoint, dict[ListenerGroup, None]] = {}
        for listener, group in listeners:
            endpoint = listener.endpoint
            if endpoint is None:
                continue
            self.families[endpoint.family] += 1
            self.groups.add(group)
            self._groups_of[endpoint.family].add(group)
            self._by_endpoint.setdefault(endpoint, group)
            at_endpoint.setdefault(endpoint, {})[group] = None
            if listener.transparent:
                self.transparent.add(group)
                self._transparent.append((endpoint, listener, group))
            if endpoint.address == _ANY[socket.AF_INET6] and not listener.v6only:
                of_ipv4 = endpoint._replace(address=_ANY_MAPPED)
                if listener.v6only is None:
                    perhaps_dual_stack.append((of_ipv4, group))
                else:
                    # For an IPv4 client `[::]` and ::ffff:0.0.0.0 fit equally well, and the kernel takes the
                    # first in its list. IPv6 sockets with SO_REUSEPORT, which two of them need, are added at
                    # the end of it (__inet_hash), and a dump has the order of that list.
                    self._by_endpoint.setdefault(of_ipv4, group)
        for of_ipv4, group in perhaps_dual_stack:
            self._by_endpoint.setdefault(of_ipv4, group)
        self._sharing = {
            group: frozenset(groups) for groups in at_endpoint.values() if len(groups) > 1 for group in groups
        }

    @property
    def any_sharing(self) -> bool:
        """Tell whether several groups share an endpoint."""
        return bool(self._sharing)

    def sharing(self, group: ListenerGroup) -> frozenset[ListenerGroup]:
        """Return the groups that share the endpoint of a group with it, that one among them; else none.

        They belong to several programs (SO_REUSEPORT), and a connection does not tell which of them has it.
        """
        return self._sharing.get(group, frozenset())

    def groups_of(self, family: int) -> Collection[ListenerGroup]:
        """Return the groups of the sockets of an address family."""
        return self._groups_of[family]

    def find(self, arrived: Endpoint) -> ListenerGroup | None:
        """Return the group of the listener where a connection arrived, None where no listener fits."""
        family, address, port, interface = arrived
        for bound in (address, _ANY_MAPPED if _mapped(arrived) else _ANY[family]):
            for device in (interface, 0):
                group = self._by_endpoint.get(Endpoint(family, bound, port, device))
                if group is not None:
                    return group
        return None

    def find_waiting(self, connection: WaitingConnection) -> ListenerGroup | None:
        """Return the group in whose accept queue a connection is, by the address that it was sent to.

        None for one of a transparent listener that was sent to the address of another, and where connections
        wait in the queues of several programs that share the endpoint.
        """
        group = self.find(connection.local)
        if group is not None and (sharing := self.sharing(group)):
            waiting = [each for each in sharing if each.length]
            group = waiting[0] if len(waiting) == 1 else None
        return group if group in self.transparent or not connection.transparent else None

    def redirected(self, arrived: Endpoint, cgroup_id: int = 0) -> set[ListenerGroup]:
        """Return the groups to which a connection may have been redirected.

        `cgroup_id` is the one it has from its listener, 0 where that is not known.
        """
        mapped = _mapped(arrived)
        return {
            group
            for bound, listener, group in self._transparent
            if bound.family == arrived.family
            and bound.interface in (0, arrived.interface)
            and not (listener.v6only if mapped else _mapped(bound))
            and (listener.cgroup_id == cgroup_id or not (listener.cgroup_id and cgroup_id))
        }


def _mapped(endpoint: Endpoint) -> bool:
    return endpoint.family == socket.AF_INET6 and endpoint.address.startswith(IPV4_MAPPED_PREFIX)
