"""Source `oldest_wait`: how long connections wait in each accept queue.

That is the age of the oldest that waits now, and the waits of those that left since the last answer.

A connection that ended with RST stays in its queue, and no dump shows it. So what is found is the oldest of
those that a dump shows, and where it shows none the wait is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from exporter.config.model import Config
from exporter.kernel.errors import UnavailableError
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.records import Method
from exporter.listeners.group import ListenerGroup
from exporter.sampling import folded_figures
from exporter.sampling.clock import Clock
from exporter.sampling.history.waits import WaitHistogram
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.accept_queue import AcceptQueue
from exporter.sampling.sources.followed_waits import FollowedWaits
from exporter.sampling.sources.known_waits import First
from exporter.sampling.sources.port_waits import PortWaits
from exporter.sampling.sources.redirected_waits import RedirectedWaits
from exporter.sampling.sources.source import Source
from exporter.sampling.waiting_clients import WaitingClient, most_waiting
from exporter.sampling.walk_limit import WalkLimit

# Where waits are published, how long they were is known to half of that.
_FOLLOW_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class OldestWaits:
    """The listeners that were asked about, and the longest wait of those where it is known, in seconds.

    `ended` are the waits of connections that have left the queue, and `clients` those of listeners that
    began to be full or critical.
    """

    asked: tuple[ListenerGroup, ...]
    seconds: Mapping[ListenerGroup, float]
    ended: Mapping[ListenerGroup, WaitHistogram]
    clients: Mapping[ListenerState, tuple[WaitingClient, ...]]


class OldestWait(Source[OldestWaits]):
    """Asks about listeners in whose accept queue connections wait; an empty queue needs no answer."""

    NAME: ClassVar = "oldest_wait"
    asks_for: ClassVar = "how long the oldest connections have waited"
    min_interval_seconds: ClassVar = 1.0
    # Where a queue fills it is asked with the next sample; until then there is nothing to ask.
    quiet_interval_seconds: ClassVar = 4.0

    def __init__(  # noqa: PLR0913 # the two ways to find connections have most of these in common
        self,
        listeners: Sequence[AcceptQueue],
        namespace: Namespace,
        table: ListenerTable,
        clock: Clock,
        walks: WalkLimit,
        *,
        followed: FollowedWaits,
    ) -> None:
        """Take the sources of the listeners, whose method decides whether there is an answer."""
        super().__init__(self.NAME)
        self._listeners = listeners
        self._table = table
        self._followed = followed
        self._at_ports = PortWaits(namespace, table, clock, walks, followed)
        self._redirected = RedirectedWaits(namespace, table, clock, walks, followed)

    @property
    def method(self) -> str | None:
        """`sock_diag`: there is no other."""
        methods = {source.method for source in self._listeners}
        return Method.SOCK_DIAG if methods == {Method.SOCK_DIAG} else None

    def interval(self, configured: float) -> float:
        """Return the seconds between two samples: fewer where a rule publishes how long connections wait."""
        return max(configured, _FOLLOW_SECONDS if self._followed.published else self.min_interval_seconds)

    def pending(self, now: float) -> bool:  # noqa: ARG002
        """Tell whether any connection waits, or one was followed until its queue was empty."""
        known = self._at_ports.known or self._redirected.known or self._followed
        return bool(known) or any(self._table.nonempty(source.family) for source in self._listeners)

    def configure(self, config: Config) -> None:
        """Follow connections as another configuration says."""
        self._followed.configure(config)

    def ask(self, now: float) -> OldestWaits:
        """Ask for the connections at the ports of these listeners, and elsewhere. Raises KernelError."""
        if self.method is None:
            self._at_ports.known.forget()
            self._redirected.known.forget()
            raise UnavailableError("/proc/net does not tell how long a connection has waited", "procfs")
        try:
            return self._oldest(now)
        finally:
            self.limited_seconds = self._at_ports.limited_seconds + self._redirected.limited_seconds

    def _oldest(self, now: float) -> OldestWaits:
        groups = tuple(group for source in self._listeners for group in self._table.nonempty(source.family))
        matcher = self._table.matcher()
        seconds, seen = self._at_ports.oldest(now, groups)
        elsewhere = [group for group in groups if group in matcher.transparent and _unseen(group, seen)]
        for group, waited in self._redirected.oldest(now, elsewhere).items():
            seconds[group] = max(seconds.get(group, 0.0), waited)
        for group in seconds.keys() - matcher.transparent:
            if _may_hide_a_full_socket(group, _unseen(group, seen)):
                del seconds[group]
        return OldestWaits(groups, seconds, self._followed.take(), self._clients(groups))

    def _clients(self, groups: Sequence[ListenerGroup]) -> dict[ListenerState, tuple[WaitingClient, ...]]:
        """Return the clients of listeners that are full or critical, and whose clients are not known yet."""
        found: dict[ListenerState, tuple[WaitingClient, ...]] = {}
        for group in groups:
            state = self._table.states.get(group)
            if state is not None and state.critical_or_full() and not state.clients:
                known = (self._at_ports.known, self._redirected.known)
                found[state] = most_waiting(each for waits in known for each in waits.connections(group))
        return found

    def first(self, group: ListenerGroup) -> First | None:
        """Return those that came first of what waits at a listener; None where none is known."""
        return self._at_ports.known.first(group) or self._redirected.known.first(group)

    def apply(self, answer: OldestWaits, now: float) -> None:  # noqa: ARG002
        """Give each listener the longest of its waits, and those that ended."""
        self._table.set_oldest_waits(answer.asked, answer.seconds)
        folded_figures.count_waits(self._table.states, answer.ended)
        for state, clients in answer.clients.items():
            state.observe_clients(clients)


def _unseen(group: ListenerGroup, seen: Mapping[ListenerGroup, int]) -> int:
    """Return how many connections in the queues of a group were not found at its port."""
    return max(0, (group.length or 0) - seen[group])


def _may_hide_a_full_socket(group: ListenerGroup, unseen: int) -> bool:
    """Tell whether one of the sockets may be full of connections that no dump shows.

    Then those that are shown are of other sockets, and their waits say nothing of the one that is full.
    """
    readings = [member.reading for member in group.members.values()]
    return any(
        reading.limit is not None and reading.limit < (reading.length or 0) <= unseen for reading in readings
    )
