"""The clients of listeners whose connections no program has accepted yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from exporter.api.client_counts import ClientCounts, Document
from exporter.api.query import QueryError
from exporter.kernel.errors import KernelError
from exporter.kernel.family import family_of
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.pending_reader import read_pending
from exporter.kernel.records import Endpoint, Listener, PendingConnections
from exporter.kernel.sock_diag.socket_filter import MAX_PORTS
from exporter.listeners.group import ListenerGroup
from exporter.listeners.matching import Matcher
from exporter.sampling.clock import Clock
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.requested_sockets import RequestedSockets
from exporter.sampling.sampler import Sampler

MAX_LISTENERS: Final = 20
# For all namespaces together.
_MAX_SECONDS: Final = 2.0
_NO_ADDRESS: Final = "clients of a unix socket have no address"


@dataclass(frozen=True, slots=True)
class _AskedNamespace:
    """The listeners of one namespace that are asked about, with all that is at their ports."""

    namespace: Namespace
    ports: Collection[int]
    at_ports: Sequence[tuple[Listener, ListenerGroup]]
    published: Mapping[ListenerGroup, ListenerState]


class ClientLists:
    """Asks the kernel who waits at listeners, in the thread that calls, with a socket of its own.

    What is known of a listener has `waiting` and `syn_recv`, the connections that were found; `unseen`, how
    many more its accept queue had when it was sampled; `addresses` and `networks` (IPv4 by /24, IPv6 by /64),
    those with most connections first, each with `waiting`, `syn_recv` and `oldest_wait_seconds` (null where
    none waits), a network with its number of `addresses`; how many of both are left out (`omitted`);
    `complete`, false where there were more connections than are read; and `shared`, true where some may be
    those of another program on the same port. What cannot be known has an `error` alone.
    """

    def __init__(self, sampler: Sampler, clock: Clock) -> None:
        self._sampler = sampler
        self._clock = clock

    def read(self, rows: Mapping[ListenerState, Document], number: int) -> dict[ListenerState, Document]:
        """Return the clients of each of these listeners, `number` addresses and networks at most.

        `rows` have the figures of their newest samples: the kernel is asked where there was a connection, or
        may have been one. Raises QueryError where those are too many.
        """
        asked = [state for state, row in rows.items() if _has_addresses(state) and _may_have_clients(row)]
        with self._sampler.lock:
            namespaces = self._namespaces(asked)
        nobody = ClientCounts().document(number, 0) | {"complete": True}
        documents: dict[ListenerState, Document] = {
            state: nobody if _has_addresses(state) else {"error": _NO_ADDRESS} for state in rows
        }
        until = self._clock.monotonic() + _MAX_SECONDS
        for each in namespaces:
            wanted = set(each.published.values()) & set(asked)
            try:
                found, complete = self._ask(each, until)
            except KernelError as error:
                documents |= {state: {"error": str(error)} for state in wanted}
                continue
            for state in wanted:
                document = found[state].document(number, rows[state]["accept_length"] or 0)
                documents[state] = document | {"complete": complete}
        return documents

    def _namespaces(self, states: Sequence[ListenerState]) -> list[_AskedNamespace]:
        """Find what is at the ports of these listeners; the caller holds the lock. Raises QueryError."""
        if len(states) > MAX_LISTENERS:
            raise _too_many(f"connections wait at {len(states)} listeners", str(MAX_LISTENERS))
        ports: defaultdict[str, set[int]] = defaultdict(set)
        for state in states:
            ports[state.group.key.netns] |= _ports(state.group)
        most = max(map(len, ports.values()), default=0)
        if most > MAX_PORTS:
            raise _too_many(f"connections may wait at {most} ports", f"{MAX_PORTS} ports")
        found = []
        for sampler in self._sampler.namespaces:
            wanted = ports.get(sampler.name)
            if wanted:
                groups = [group for group in sampler.table.states if _ports(group) & wanted]
                at_ports = [(member.listener, group) for group in groups for member in group.members.values()]
                published = {group: sampler.table.states[group].published_as() for group in groups}
                found.append(_AskedNamespace(sampler.namespace, wanted, at_ports, published))
        return found

    def _ask(self, asked: _AskedNamespace, until: float) -> tuple[Mapping[ListenerState, ClientCounts], bool]:
        if self._clock.monotonic() > until:
            raise KernelError("cannot read connections in time", "late")
        with RequestedSockets(self._sampler.requests, asked.namespace.sockets) as sockets:
            pending = read_pending(asked.ports, sockets, self._clock.monotonic, until)
        return _by_listener(pending, asked), pending.complete


def _by_listener(
    pending: PendingConnections, asked: _AskedNamespace
) -> defaultdict[ListenerState, ClientCounts]:
    matcher = Matcher(asked.at_ports)
    found: defaultdict[ListenerState, ClientCounts] = defaultdict(ClientCounts)

    # Most connections have arrived at the same few places.
    @cache
    def at(local: Endpoint) -> tuple[bool, list[ClientCounts]]:
        """Return whether a listener there may have redirected connections, and whose clients come there."""
        group = matcher.find(local)
        if group is None:
            return False, []
        states = {asked.published[each] for each in matcher.sharing(group) or (group,)}
        if len(states) > 1:
            for state in states:
                found[state].share()
        return group in matcher.transparent, [found[state] for state in states]

    for connection in pending.waiting:
        transparent, counts = at(connection.local)
        # One that TPROXY redirected is not in the queue of the listener that it was sent to.
        if transparent or not connection.transparent:
            for each in counts:
                each.add_waiting(connection.peer_address, connection.seconds)
    for (local, peer), count in pending.syn_recv.items():
        for each in at(local)[1]:
            each.add_syn_recv(peer, count)
    return found


def _has_addresses(state: ListenerState) -> bool:
    return family_of(state.group.key.protocol).has_syn_queue


def _may_have_clients(row: Document) -> bool:
    return not row["accept_length"] == 0 == row["syn_recv"]


def _ports(group: ListenerGroup) -> set[int]:
    endpoints = (member.listener.endpoint for member in group.members.values())
    return {endpoint.port for endpoint in endpoints if endpoint is not None}


def _too_many(what: str, most: str) -> QueryError:
    return QueryError(
        f"clients: {what}, and clients are listed for {most} at most;"
        " choose some by port, address, process or netns"
    )
