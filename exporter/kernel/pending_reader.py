"""Reading the connections on some ports that no program has accepted yet, each with its client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from typing import Final, TypeVar

from exporter.kernel.records import PendingConnections
from exporter.kernel.sock_diag import accept_wait, syn_recv
from exporter.kernel.sock_diag.diag_socket import DiagSockets
from exporter.kernel.sock_diag.dump import dump

# Of each kind. A queue may hold as many connections as net.core.somaxconn, which has no limit of its own.
MAX_CONNECTIONS: Final = 100_000

_Row = TypeVar("_Row")


def read_pending(
    ports: Collection[int], sockets: DiagSockets, clock: Callable[[], float], until: float
) -> PendingConnections:
    """Return the connections on 1 to MAX_PORTS local ports, as far as they can be read `until` then.

    `clock` is in monotonic seconds. Each of two dumps walks over all connections of the host, and the one of
    those that wait sends the accepted ones on these ports too, of which there may be very many. Raises
    KernelError; there is no other method than sock_diag.
    """
    limit = _Limit(clock, until)
    with closing(dump(syn_recv.request_at_ports(ports), sockets)) as datagrams:
        counts = Counter(limit.rows(syn_recv.peers(limit.datagrams(datagrams))))
    with closing(dump(accept_wait.request_at_ports(ports), sockets)) as datagrams:
        waiting = tuple(limit.rows(accept_wait.waiting(limit.datagrams(datagrams))))
    return PendingConnections(waiting, counts, limit.complete)


class _Limit:
    """Ends what yields too many rows, or takes too long, and keeps whether it did."""

    def __init__(self, clock: Callable[[], float], until: float) -> None:
        self.complete = True
        self._clock = clock
        self._until = until

    def datagrams(self, found: Iterable[bytes]) -> Iterator[bytes]:
        for datagram in found:
            if self._clock() > self._until:
                self.complete = False
                return
            yield datagram

    def rows(self, found: Iterable[_Row]) -> Iterator[_Row]:
        for number, row in enumerate(found):
            if number == MAX_CONNECTIONS:
                self.complete = False
                return
            yield row
